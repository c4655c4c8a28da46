/** Microseconds for which the caller's admission and consents are relied on without asking again. */
export const FRESH = 100_000;
