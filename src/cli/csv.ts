/** CSV (RFC 4180) that a spreadsheet opens without executing it. */

/**
 * A cell that a spreadsheet would take for a formula gets a leading apostrophe (OWASP, CSV Injection; ASVS 5.0, 1.2.10). As a precaution, so does one that
 * begins with a line feed, or with a full-width sign, as an input method for Chinese types it.
 */
function cell(value: string | number | null | undefined): string {
  if (typeof value === 'number') return String(value);
  const text = value ?? '';
  const safe = /^[=+\-@\t\r\n\0＝＋－＠]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** One line, with its end. */
export const csvLine = (values: readonly (string | number | null | undefined)[]): string =>
  `${values.map(cell).join(',')}\r\n`;
