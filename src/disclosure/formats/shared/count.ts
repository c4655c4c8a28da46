/** Parses a count of the envelope; null if it is not a decimal integer, or too large to be exact. */
export function exactly(text: string): number | null {
  const count = /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(count) ? count : null;
}
