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
    // few enough that looking through them costs less than a map
    const rows: { readonly question: Question; count: number }[] = [];
    let omitted = 0;
    for (const [{ questions }, times] of this.#verdicts)
      for (const question of questions) {
        const row = rows.find((r) => isSameQuestion(r.question, question));
        if (row !== undefined) row.count += times;
        else if (rows.length >= LISTED_STATES) omitted += 1;
        else rows.push({ question, count: times });
      }
    if (rows.length === 0) return {};
    const answers = rows.map(({ question, count }) => askedState(question, count));
    return omitted > 0 ? { answers, answers_omitted: omitted } : { answers };
  }

  clear(): void {
    this.#verdicts.clear();
  }
}

const isSameQuestion = (a: Question, b: Question): boolean =>
  a.answer === b.answer && a.resource === b.resource && a.key === b.key;

const STATES = new WeakMap<DisclosureAnswer, Map<string, AskedState>>();
const STATES_REMEMBERED = 256;

/** One object for what is alike, since its text on record is remembered by it. */
function askedState({ resource, key, state, answer }: Question, count: number): AskedState {
  let states = STATES.get(answer);
  if (states === undefined) {
    states = new Map();
    STATES.set(answer, states);
  }
  const name = `${count} ${resource} ${key}`;
  let asked = states.get(name);
  if (asked === undefined) {
    const { consents, flags } = state;
    const { disclose } = answer;
    asked = Object.freeze({ consents, count, disclose, flags, resource, treatments: treatmentsOf(answer) });
    if (states.size >= STATES_REMEMBERED) states.clear();
    states.set(name, asked);
  }
  return asked;
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
  const sorted = Object.freeze(
    Object.fromEntries(Object.entries(treatments).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
  TREATMENTS.set(answer, sorted);
  return sorted;
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
  if (key === null) return addUp(used, unknown);
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
function keyOf(used: readonly Running[], unknown: readonly FieldAccount[]): string | null {
  let key = '';
  for (const { instructions, done, failed, objects } of used) {
    if (!done.every(isUnit) || !failed.every(isUnit)) return null;
    key += `${serialOf(instructions)};${String.fromCharCode(...done)}`;
    if (failed.some(Boolean)) key += `-${String.fromCharCode(...failed)}`;
    for (const [n, count] of objects) key += `${n}o${count},`;
  }
  for (const row of unknown) key += `${row.count} ${row.do} ${row.because} ${row.path.length}:${row.path}`;
  return key;
}

/** a count that is one UTF-16 code unit, which is how it stands in a key */
const isUnit = (count: number): boolean => count <= 0xffff;

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
