/** Builds the summary of a part from the counts of its programs, records and frames. */
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { RecordedState, DisclosureSummary, WithheldPath } from '../../model/record.ts';
import type { ProgramRun, UnknownPaths } from './counter.ts';
import type { StateAnswer, Verdict } from './verdicts.ts';
import type { Instructions } from '../fields/program.ts';

/** What is counted by record. */
export class Tally {
  records = 0;
  withheld = 0;
  /** number of withheld records by reason code; null: none */
  reasons: Map<string, number> | null = null;
  /** ids of data subjects */
  readonly subjects = new Set<string>();
  /** ids of consents; null: none */
  consents: Set<string> | null = null;
  readonly asked = new AskedStates();

  withhold(codes: readonly string[]): void {
    this.withheld++;
    this.reasons ??= new Map();
    for (const code of codes) this.reasons.set(code, (this.reasons.get(code) ?? 0) + 1);
  }

  clear(): void {
    this.records = 0;
    this.withheld = 0;
    this.reasons = null;
    this.subjects.clear();
    this.consents = null;
    this.asked.clear();
  }
}

/** limit of distinct states in a summary; a page of 100 customers usually has two or three */
const MAX_STATES = 32;

interface Times {
  readonly verdict: Verdict;
  times: number;
}

/** Counts the states that the policy was asked about. */
class AskedStates {
  /** by verdict, so that a record needs one lookup */
  readonly #verdicts = new Map<Verdict, Times>();

  count(verdict: Verdict): void {
    const known = this.#verdicts.get(verdict);
    if (known === undefined) this.#verdicts.set(verdict, { verdict, times: 1 });
    else known.times++;
  }

  /** the rows, and the number of rows beyond the limit */
  summary(): { readonly answers: readonly RecordedState[]; readonly omitted: number } {
    // an array: for so few rows it is faster than a map
    const rows: { readonly question: StateAnswer; count: number }[] = [];
    let omitted = 0;
    for (const { verdict, times } of this.#verdicts.values())
      for (const question of verdict.stateAnswers) {
        const row = rows.find((r) => isSameQuestion(r.question, question));
        if (row !== undefined) row.count += times;
        else if (rows.length >= MAX_STATES) omitted += 1;
        else rows.push({ question, count: times });
      }
    return { answers: rows.map(({ question, count }) => askedState(question, count)), omitted };
  }

  clear(): void {
    this.#verdicts.clear();
  }
}

const isSameQuestion = (a: StateAnswer, b: StateAnswer): boolean =>
  a.answer === b.answer && a.resource === b.resource && a.key === b.key;

const STATES = new WeakMap<DisclosureAnswer, Map<string, RecordedState>>();
const MAX_CACHED_STATES = 256;

/** for a count of 1: most bodies are one record */
const ASKED_ONCE = new WeakMap<StateAnswer, RecordedState>();

/** Equal rows are the same frozen object, so that the decision log can cache its JSON. */
function askedState(question: StateAnswer, count: number): RecordedState {
  if (count !== 1) return askedTimes(question, count);
  let asked = ASKED_ONCE.get(question);
  if (asked === undefined) {
    asked = askedTimes(question, 1);
    ASKED_ONCE.set(question, asked);
  }
  return asked;
}

function askedTimes({ resource, key, state, answer }: StateAnswer, count: number): RecordedState {
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
    if (states.size >= MAX_CACHED_STATES) states.clear();
    states.set(name, asked);
  }
  return asked;
}

const TREATMENTS = new WeakMap<DisclosureAnswer, RecordedState['treatments']>();

function treatmentsOf(answer: DisclosureAnswer): RecordedState['treatments'] {
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

const NO_CONSENTS: readonly string[] = Object.freeze([]);

/**
 * Takes the counts, which are reset for the next part.
 * @param dataSubject the keyed digest of a data subject's id
 */
export function takeSummary(
  tally: Tally,
  running: Iterable<ProgramRun>,
  unknown: UnknownPaths,
  dataSubject: (id: string) => string,
): DisclosureSummary {
  const used: ProgramRun[] = [];
  for (const each of running) {
    each.settle();
    if (each.dirty) used.push(each);
  }
  const { released, withheld, by_class } = pathsOf(used, unknown.take(), tally.records);
  for (const each of used) each.clear();
  const { answers, omitted } = tally.asked.summary();
  const { records, reasons } = tally;
  const consents = tally.consents === null ? NO_CONSENTS : [...tally.consents];
  const data_subjects = Array.from(tally.subjects, dataSubject);
  const records_withheld = tally.withheld;
  tally.clear();
  // the usual case as a literal, which is faster than spreading conditional members
  if (answers.length > 0 && omitted === 0 && consents.length === 0 && reasons === null)
    return { answers, by_class, data_subjects, records, records_withheld, released, withheld };
  return {
    ...(answers.length > 0 ? { answers } : {}),
    ...(omitted > 0 ? { answers_omitted: omitted } : {}),
    by_class,
    ...(consents.length > 0 ? { consents } : {}),
    data_subjects,
    records,
    records_withheld,
    released,
    withheld,
    ...(reasons !== null ? { withheld_reasons: Object.fromEntries(reasons) } : {}),
  };
}

/**
 * Path summaries of small answers, by their counts. Equal counts give the same frozen object, so that the decision log can cache its JSON: see
 * README.md for the gain.
 */
const PATH_SUMMARIES = new WeakMap<Instructions, PathSummaries>();
const MAX_CACHED_SUMMARIES = 256;
const FEW_RECORDS = 16;

interface Counted {
  readonly running: readonly {
    readonly instructions: Instructions;
    readonly done: readonly number[];
    readonly failed: readonly number[];
    readonly objects: ReadonlyMap<number, number>;
  }[];
  readonly unknown: readonly WithheldPath[];
  readonly paths: Paths;
}

interface PathSummaries {
  readonly byHash: Map<number, Counted[]>;
  size: number;
}

function pathsOf(used: readonly ProgramRun[], unknown: readonly WithheldPath[], records: number): Paths {
  const [first] = used;
  if (first === undefined || records > FEW_RECORDS || unknown.length > FEW_RECORDS)
    return addUp(used, unknown);
  let cached = PATH_SUMMARIES.get(first.instructions);
  if (cached === undefined) {
    cached = { byHash: new Map(), size: 0 };
    PATH_SUMMARIES.set(first.instructions, cached);
  }
  const hash = hashOf(used, unknown);
  const alike = cached.byHash.get(hash);
  if (alike !== undefined) for (const known of alike) if (isAlike(known, used, unknown)) return known.paths;
  const paths = frozen(addUp(used, unknown));
  if (cached.size >= MAX_CACHED_SUMMARIES) {
    cached.byHash.clear();
    cached.size = 0;
  }
  const running = used.map(({ instructions, done, failed, objects }) => ({
    instructions,
    done: [...done],
    failed: [...failed],
    objects: new Map(objects),
  }));
  const counted = { running, unknown, paths };
  if (alike === undefined || cached.size === 0) cached.byHash.set(hash, [counted]);
  else alike.push(counted);
  cached.size++;
  return paths;
}

/** A hash of the counts of values; the rest rarely differs and is compared. */
function hashOf(used: readonly ProgramRun[], unknown: readonly WithheldPath[]): number {
  let hash = unknown.length;
  for (const { done } of used)
    for (let n = 0; n < done.length; n++) hash = (Math.imul(hash, 31) + done[n]!) | 0;
  for (const { count } of unknown) hash = (Math.imul(hash, 31) + count) | 0;
  return hash;
}

function isAlike(known: Counted, used: readonly ProgramRun[], unknown: readonly WithheldPath[]): boolean {
  if (known.running.length !== used.length || known.unknown.length !== unknown.length) return false;
  for (let n = 0; n < used.length; n++) {
    const [a, b] = [known.running[n]!, used[n]!];
    if (a.instructions !== b.instructions) return false;
    if (!areEqual(a.done, b.done) || !areEqual(a.failed, b.failed)) return false;
    if (a.objects.size !== b.objects.size) return false;
    for (const [field, count] of a.objects) if (b.objects.get(field) !== count) return false;
  }
  for (let n = 0; n < unknown.length; n++) {
    const [a, b] = [known.unknown[n]!, unknown[n]!];
    if (a.path !== b.path || a.count !== b.count || a.because !== b.because || a.do !== b.do) return false;
  }
  return true;
}

function areEqual(a: readonly number[], b: readonly number[]): boolean {
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n]) return false;
  return true;
}

function frozen(paths: Paths): Paths {
  Object.freeze(paths.released);
  for (const row of paths.withheld) Object.freeze(row);
  Object.freeze(paths.withheld);
  for (const row of Object.values(paths.by_class)) Object.freeze(row);
  Object.freeze(paths.by_class);
  return Object.freeze(paths);
}

function addUp(used: readonly ProgramRun[], unknown: readonly WithheldPath[]): Paths {
  const released = new Set<string>();
  const withheld = new Map<string, Row>();
  const classes: { [cls: string]: { [treatment: string]: number } } = {};
  const count = (cls: string | null, name: string, times: number) => {
    if (cls === null) return;
    if (!Object.hasOwn(classes, cls)) Object.defineProperty(classes, cls, { value: {}, enumerable: true });
    const row = classes[cls]!;
    row[name] = (row[name] ?? 0) + times;
  };
  const counter = (row: Row) => {
    const key = `${row.do} ${row.because} ${row.path}`;
    const known = withheld.get(key);
    if (known) known.count += row.count;
    else withheld.set(key, row);
  };
  for (const each of used) {
    const { automaton, firstField, choices } = each.instructions;
    for (let n = 0; n < choices.length; n++) {
      const done = each.done[n]!;
      const failed = each.failed[n]!;
      const objects = each.objects.get(n) ?? 0;
      if (done === 0 && failed === 0 && objects === 0) continue;
      const field = automaton.all[firstField + n]!;
      const choice = choices[n]!;
      const row = field.cls === null ? { path: field.path } : { path: field.path, class: field.cls };
      if (done > 0 && choice.do === 'disclose') released.add(field.path);
      else if (done > 0) counter({ ...row, do: choice.do, because: choice.because, count: done });
      if (failed > 0) counter({ ...row, do: 'drop', because: 'not_applicable', count: failed });
      if (objects > 0) counter({ ...row, do: 'drop', because: 'not_whole', count: objects });
      if (done > 0) count(field.cls, choice.do, done);
      if (failed + objects > 0) count(field.cls, 'drop', failed + objects);
    }
  }
  return {
    released: [...released].sort(),
    withheld: [...(withheld.values() as Iterable<WithheldPath>), ...unknown],
    by_class: classes,
  };
}
