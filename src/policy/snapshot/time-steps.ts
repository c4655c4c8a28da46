/** Time in steps: within one, a policy that reads the time has the same input, so that its answers can be kept. */

export interface Instant {
  /** RFC 3339, UTC, start of the step */
  readonly text: string;
  readonly milliseconds: number;
}

/** A function from an RFC 3339 time to the start of its step; null if it is no such time. */
export const createSteps = (step: number): ((time: string) => Instant | null) => {
  let lastText = '';
  let last: Instant | null = null;
  const known = new Map<number, Instant>();
  return (time) => {
    if (time === lastText) return last;
    const at = Date.parse(time);
    if (Number.isNaN(at) || !/^\d{4}-\d\d-\d\dT/.test(time)) return null;
    const milliseconds = at - (((at % step) + step) % step);
    let instant = known.get(milliseconds);
    if (instant === undefined) {
      if (known.size > 64) known.clear();
      instant = { text: new Date(milliseconds).toISOString(), milliseconds };
      known.set(milliseconds, instant);
    }
    lastText = time;
    last = instant;
    return instant;
  };
};
