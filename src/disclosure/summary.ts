/** The account of one part: adds up what its running instructions, its records and its frames counted. */
import type { FieldAccount, DisclosureSummary } from '../model/record.ts';
import type { Running, UnknownPaths } from './account.ts';
import { DISCLOSE } from './formats/format.ts';

/** What is counted a record. */
export class Tally {
  records = 0;
  withheld = 0;
  readonly reasons = new Map<string, number>();
  readonly subjects = new Set<string>();
  readonly consents = new Set<string>();

  withhold(codes: readonly string[]): void {
    this.withheld++;
    for (const code of codes) this.reasons.set(code, (this.reasons.get(code) ?? 0) + 1);
  }

  clear(): void {
    this.records = 0;
    this.withheld = 0;
    this.reasons.clear();
    this.subjects.clear();
    this.consents.clear();
  }
}

interface Row {
  path: string;
  class?: string;
  do: string;
  because: string;
  count: number;
}

/** Takes the counts: they start at zero again for the next part. */
export function takeSummary(
  tally: Tally,
  running: Iterable<Running>,
  unknown: UnknownPaths,
): DisclosureSummary {
  const released = new Set<string>();
  const withheld = new Map<string, Row>();
  const classes: { [cls: string]: { [treatment: string]: number } } = {};
  const count = (cls: string | null, name: string, times: number) => {
    if (cls === null) return;
    if (!Object.hasOwn(classes, cls)) Object.defineProperty(classes, cls, { value: {}, enumerable: true });
    const row = classes[cls]!;
    row[name] = (row[name] ?? 0) + times;
  };
  const account = (row: Row) => {
    const key = `${row.do} ${row.because} ${row.path}`;
    const known = withheld.get(key);
    if (known) known.count += row.count;
    else withheld.set(key, row);
  };
  for (const each of running) {
    each.settle();
    if (!each.dirty) continue;
    const { automaton, firstField, choices, actions } = each.instructions;
    for (let n = 0; n < choices.length; n++) {
      const done = each.done[n]!;
      const failed = each.failed[n]!;
      if (done === 0 && failed === 0) continue;
      const field = automaton.all[firstField + n]!;
      const choice = choices[n]!;
      const row = field.cls === null ? { path: field.path } : { path: field.path, class: field.cls };
      if (done > 0 && actions[n] === DISCLOSE) released.add(field.path);
      else if (done > 0) account({ ...row, do: choice.do, because: choice.because, count: done });
      if (failed > 0) account({ ...row, do: 'drop', because: 'not_applicable', count: failed });
      if (done > 0) count(field.cls, choice.do, done);
      if (failed > 0) count(field.cls, 'drop', failed);
    }
    each.clear();
  }
  const summary: DisclosureSummary = {
    records: tally.records,
    records_withheld: tally.withheld,
    released: [...released].sort(),
    withheld: [...(withheld.values() as Iterable<FieldAccount>), ...unknown.take()],
    by_class: classes,
    data_subjects: [...tally.subjects],
    ...(tally.reasons.size > 0 ? { withheld_reasons: Object.fromEntries(tally.reasons) } : {}),
    ...(tally.consents.size > 0 ? { consents: [...tally.consents] } : {}),
  };
  tally.clear();
  return summary;
}
