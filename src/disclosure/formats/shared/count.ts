/** A count in the envelope as a number; null for one that is spelled otherwise, or is too large to be exact. */
export function exactly(text: string): number | null {
  const count = /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(count) ? count : null;
}
