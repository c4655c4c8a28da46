/** The source of time, so that tests can set it. */
export interface Clock {
  now(): Date;
  /** monotonic, microseconds */
  micros(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  micros: () => performance.now() * 1000,
};
