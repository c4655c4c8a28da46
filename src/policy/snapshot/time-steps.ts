/** Rounds times down to a step. Within a step, a policy that reads the time gets the same input, so that its answers can be cached. */

export interface Instant {
  /** RFC 3339, UTC, start of the step */
  readonly text: string;
  readonly milliseconds: number;
}

/** @returns a function from an RFC 3339 time to the start of its step; null if the text is not such a time */
export const createSteps = (step: number): ((time: string) => Instant | null) => {
  let lastText = '';
  let last: Instant | null = null;
  return (time) => {
    if (time === lastText) return last;
    const at = Date.parse(time);
    if (Number.isNaN(at) || !/^\d{4}-\d\d-\d\dT/.test(time)) return null;
    const milliseconds = at - (((at % step) + step) % step);
    if (last?.milliseconds !== milliseconds)
      last = { text: new Date(milliseconds).toISOString(), milliseconds };
    lastText = time;
    return last;
  };
};
