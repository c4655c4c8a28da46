/** Ids that somebody looked up one after another: C1001, C1002, C1003 … */

/** A step between ids is at most this, in either direction. */
const LONGEST_STEP = 10n;

export interface Walked {
  /** ms since 1970 */
  readonly at: number;
  readonly id: string;
  /** orders those of one moment */
  readonly decision: string;
}

interface Run {
  readonly from: string;
  readonly to: string;
  readonly steps: number;
  readonly step: number;
  readonly begin: number;
  readonly end: number;
}

const NUMBERED = /^(.*?)(\d{1,30})(\D*)$/s;

/** The longest stretches of look-ups whose ids differ by the same small number. The same id again is no step. */
export function runsOf(walked: readonly Walked[]): readonly Run[] {
  const runs: Run[] = [];
  let open: {
    from: string;
    to: string;
    frame: string;
    number: bigint;
    step: bigint;
    steps: number;
    begin: number;
    end: number;
  } | null = null;
  const close = (): void => {
    if (open !== null && open.steps > 0) runs.push({ ...open, step: Number(open.step) });
  };
  for (const { at, id } of walked.toSorted((a, b) => a.at - b.at || (a.decision < b.decision ? -1 : 1))) {
    const [, before, digits, after] = NUMBERED.exec(id) ?? [];
    if (digits === undefined) {
      close();
      open = null;
      continue;
    }
    const frame = `${before}#${after}`;
    const number = BigInt(digits);
    const fresh = { from: id, to: id, frame, number, step: 0n, steps: 0, begin: at, end: at };
    if (open === null || open.frame !== frame) {
      close();
      open = fresh;
      continue;
    }
    const step: bigint = number - open.number;
    if (step === 0n) continue;
    const isShort = step <= LONGEST_STEP && step >= -LONGEST_STEP;
    if (isShort && (open.steps === 0 || open.step === step))
      open = { ...open, to: id, number, step, steps: open.steps + 1, end: at };
    else {
      close();
      // The last id may be the first of another stretch.
      open = isShort ? { ...fresh, from: open.to, step, steps: 1, begin: open.end } : fresh;
    }
  }
  close();
  return runs;
}
