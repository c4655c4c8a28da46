/**
 * Robust statistics: a few extreme values, which are what is looked for, do not move them as they move mean and standard deviation.
 * Hampel, "The Influence Curve and Its Role in Robust Estimation", JASA 69 (1974), 383–393.
 */

/** Of an even number of values, the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The median of the distances from the median. */
export function mad(values: readonly number[], center = median(values)): number {
  return median(values.map((value) => Math.abs(value - center)));
}

/** MAD × 1.4826 estimates the standard deviation of values that are normally distributed. */
const NORMAL = 1.4826;

export interface Score {
  /** number of values it is compared with */
  readonly count: number;
  readonly median: number;
  readonly mad: number;
  /** robust standard deviation, not less than `floor` */
  readonly spread: number;
  /** distance from the median in `spread` */
  readonly score: number;
}

/** @param floor where all values are alike, their spread is 0, and any other value would be infinitely far away */
export function scoreOf(value: number, others: readonly number[], floor: number): Score {
  const center = median(others);
  const distance = mad(others, center);
  const spread = Math.max(NORMAL * distance, floor);
  return { count: others.length, median: center, mad: distance, spread, score: (value - center) / spread };
}
