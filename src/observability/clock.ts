/** The source of time, so that tests can set it. */
export interface Clock {
  /** for dates: of tokens, grants, records. It may be set back or forward while a process runs. */
  now(): Date;
  /** for durations: how old something is. Monotonic, microseconds */
  micros(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  micros: () => performance.now() * 1000,
};

/** monotonic, milliseconds */
export const millis = (clock: Clock): number => clock.micros() / 1000;

const LOOK_MS = 1_000;
/** what corrections of a few parts in a thousand never reach */
const STEP_MS = 5_000;

/** @param onStep called with the milliseconds by which `now` was set forward, or back if they are negative */
export function watchSteps(clock: Clock, onStep: (by: number) => void): { close(): void } {
  const offset = (): number => clock.now().getTime() - millis(clock);
  let before = offset();
  const timer = setInterval(() => {
    const after = offset();
    const by = after - before;
    before = after;
    if (Math.abs(by) >= STEP_MS) onStep(by);
  }, LOOK_MS).unref();
  return { close: () => clearInterval(timer) };
}
