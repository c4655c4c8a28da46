/** The account of one part: adds up what its running instructions, its records and its frames counted. */
import type { DisclosureAnswer } from '../model/answers.ts';
import type { AskedState, DisclosureSummary, FieldAccount } from '../model/record.ts';
import type { Running, UnknownPaths } from './account.ts';
import type { Question, Verdict } from './answers.ts';
import { DISCLOSE } from './formats/format.ts';
import type { Instructions } from './program.ts';

/** What is counted a record. */
export class Tally {
  records = 0;
  withheld = 0;
  readonly reasons = new Map<string, number>();
  readonly subjects = new Set<string>();
  readonly consents = new Set<string>();
  readonly asked = new AskedStates();

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
    this.asked.clear();
  }
}

/** distinct states on record in one part; a page of 100 customers usually has two or three */
const LISTED_STATES = 32;

/** The states that the policy was asked about, each with its answer, counted. */
class AskedStates {
  /** by verdict: counting is all that happens for a record */
  readonly #verdicts = new Map<Verdict, number>();

  count(verdict: Verdict): void {
    this.#verdicts.set(verdict, (this.#verdicts.get(verdict) ?? 0) + 1);
  }

  summary(): Pick<DisclosureSummary, 'answers' | 'answers_omitted'> {
    const rows = new Map<DisclosureAnswer, Map<string, { question: Question; count: number }>>();
    let size = 0;
    let omitted = 0;
    for (const [{ questions }, times] of this.#verdicts)
      for (const question of questions) {
        const states = rows.get(question.answer) ?? new Map<string, { question: Question; count: number }>();
        const key = `${question.resource} ${question.key}`;
        const row = states.get(key);
        if (row !== undefined) row.count += times;
        else if (size >= LISTED_STATES) omitted += 1;
        else {
          states.set(key, { question, count: times });
          rows.set(question.answer, states);
          size += 1;
        }
      }
    if (size === 0) return {};
    const answers = [...rows.values()].flatMap((states) =>
      [...states.values()].map(({ question, count }) => askedState(question, count)),
    );
    return { answers, ...(omitted > 0 ? { answers_omitted: omitted } : {}) };
  }

  clear(): void {
    this.#verdicts.clear();
  }
}

function askedState({ resource, state, answer }: Question, count: number): AskedState {
  return {
    resource,
    consents: state.consents,
    flags: state.flags,
    disclose: answer.disclose,
    treatments: treatmentsOf(answer),
    count,
  };
}

const TREATMENTS = new WeakMap<DisclosureAnswer, AskedState['treatments']>();

function treatmentsOf(answer: DisclosureAnswer): AskedState['treatments'] {
  const known = TREATMENTS.get(answer);
  if (known !== undefined) return known;
  const treatments: { [treatment: string]: string[] } = {};
  for (const choices of [answer.classes, answer.fields])
    for (const [name, choice] of Object.entries(choices)) {
      const list = treatments[choice.do] ?? [];
      list.push(name);
      treatments[choice.do] = list;
    }
  for (const list of Object.values(treatments)) Object.freeze(list);
  TREATMENTS.set(answer, Object.freeze(treatments));
  return treatments;
}

interface Row {
  path: string;
  class?: string;
  do: string;
  because: string;
  count: number;
}

type Paths = Pick<DisclosureSummary, 'released' | 'withheld' | 'by_class'>;

/** Takes the counts: they start at zero again for the next part. */
export function takeSummary(
  tally: Tally,
  running: Iterable<Running>,
  unknown: UnknownPaths,
): DisclosureSummary {
  const used: Running[] = [];
  for (const each of running) {
    each.settle();
    if (each.dirty) used.push(each);
  }
  const paths = pathsOf(used, unknown.take(), tally.records);
  for (const each of used) each.clear();
  const summary: DisclosureSummary = {
    ...tally.asked.summary(),
    by_class: paths.by_class,
    ...(tally.consents.size > 0 ? { consents: [...tally.consents] } : {}),
    data_subjects: [...tally.subjects],
    records: tally.records,
    records_withheld: tally.withheld,
    released: paths.released,
    withheld: paths.withheld,
    ...(tally.reasons.size > 0 ? { withheld_reasons: Object.fromEntries(tally.reasons) } : {}),
  };
  tally.clear();
  return summary;
}

/** Accounts of small answers by what was counted: alike down to the same objects, which what is made of them can be remembered by. */
const ACCOUNTS = new WeakMap<Instructions, Map<string, Paths>>();
const REMEMBERED = 256;
const FEW_RECORDS = 16;

function pathsOf(used: readonly Running[], unknown: readonly FieldAccount[], records: number): Paths {
  const [first] = used;
  if (first === undefined || records > FEW_RECORDS || unknown.length > FEW_RECORDS)
    return addUp(used, unknown);
  let accounts = ACCOUNTS.get(first.instructions);
  if (accounts === undefined) {
    accounts = new Map();
    ACCOUNTS.set(first.instructions, accounts);
  }
  const key = keyOf(used, unknown);
  let paths = accounts.get(key);
  if (paths === undefined) {
    paths = frozen(addUp(used, unknown));
    if (accounts.size >= REMEMBERED) accounts.clear();
    accounts.set(key, paths);
  }
  return paths;
}

const SERIALS = new WeakMap<Instructions, number>();
let serials = 0;

function serialOf(instructions: Instructions): number {
  let serial = SERIALS.get(instructions);
  if (serial === undefined) {
    serial = ++serials;
    SERIALS.set(instructions, serial);
  }
  return serial;
}

/** Unambiguous: the counts are as many as the instructions have fields, and a path, which is the upstream's, says its length. */
function keyOf(used: readonly Running[], unknown: readonly FieldAccount[]): string {
  let key = '';
  for (const { instructions, done, failed, objects } of used) {
    key += `${serialOf(instructions)};`;
    for (let n = 0; n < done.length; n++) key += failed[n] === 0 ? `${done[n]},` : `${done[n]}-${failed[n]},`;
    for (const [n, count] of objects) key += `${n}o${count},`;
  }
  for (const row of unknown) key += `${row.count} ${row.do} ${row.because} ${row.path.length}:${row.path}`;
  return key;
}

function frozen(paths: Paths): Paths {
  Object.freeze(paths.released);
  for (const row of paths.withheld) Object.freeze(row);
  Object.freeze(paths.withheld);
  for (const row of Object.values(paths.by_class)) Object.freeze(row);
  Object.freeze(paths.by_class);
  return Object.freeze(paths);
}

function addUp(used: readonly Running[], unknown: readonly FieldAccount[]): Paths {
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
  for (const each of used) {
    const { automaton, firstField, choices, actions } = each.instructions;
    for (let n = 0; n < choices.length; n++) {
      const done = each.done[n]!;
      const failed = each.failed[n]!;
      const objects = each.objects.get(n) ?? 0;
      if (done === 0 && failed === 0 && objects === 0) continue;
      const field = automaton.all[firstField + n]!;
      const choice = choices[n]!;
      const row = field.cls === null ? { path: field.path } : { path: field.path, class: field.cls };
      if (done > 0 && actions[n] === DISCLOSE) released.add(field.path);
      else if (done > 0) account({ ...row, do: choice.do, because: choice.because, count: done });
      if (failed > 0) account({ ...row, do: 'drop', because: 'not_applicable', count: failed });
      if (objects > 0) account({ ...row, do: 'drop', because: 'not_whole', count: objects });
      if (done > 0) count(field.cls, choice.do, done);
      if (failed + objects > 0) count(field.cls, 'drop', failed + objects);
    }
  }
  return {
    released: [...released].sort(),
    withheld: [...(withheld.values() as Iterable<FieldAccount>), ...unknown],
    by_class: classes,
  };
}
