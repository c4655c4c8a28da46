/**
 * Queries another policy about recorded decisions, field by field. What is recorded is compared with the policy's answer to the
 * same query at the same time. What is not recorded (attributes of records, masked members, parameters of masks) is counted, not guessed.
 * Longer than most files: all steps for one record share the same state.
 */
import { hiddenFields } from '../../../disclosure/guard/requests.ts';
import { type Covering, coveringOf, type FieldOutcome } from '../../../disclosure/fields/outcomes.ts';
import { WRITES } from '../../../model/actions.ts';
import type { DisclosureAnswer } from '../../../model/answers.ts';
import type { Catalog } from '../../../model/catalog.ts';
import type { PolicyInput } from '../../../model/input.ts';
import type { RecordedState, DecisionRecord, DisclosureSummary } from '../../../model/record.ts';
import { asRead, withheldBy } from '../../../model/verdict.ts';
import { type Decision, decide } from '../../../pipeline/authorize.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import { DIRECTIONS, directionOf, GONE, limitDirection } from '../matrix/changes.ts';
import {
  ageDirection,
  agesOf,
  ANY_AGE,
  ERRORS,
  outcomesOf,
  fateThen,
  holdsMasked,
  INEXACT,
  type Inexact,
  isAged,
  isAsked,
  isCount,
  isCounted,
  PROOFS,
  questionOf,
  type Replay,
  type Rows,
  type Shift,
  valuesOf,
  wasAllowed,
  type Who,
  whoOf,
} from './recorded.ts';

const EXAMPLES = 3;
const PARAMETRISED: ReadonlySet<string> = new Set([
  'mask',
  'generalize',
  'scrub',
  'pseudonymize',
  'tokenize',
  'encrypt',
]);
const NOT_OF_THE_POLICY: ReadonlySet<string> = new Set(['not_asked_for']);

export class Replayer {
  readonly #policy: LivePolicy;
  /** the policy that decided, for what records do not keep; null: not available */
  readonly #before: LivePolicy | null;
  readonly #shifts = new Map<string, Shift>();
  /** of decisions: their parts need not be adjacent */
  readonly #ids = new WeakMap<Shift, Set<string>>();
  readonly #differing = new Set<string>();
  readonly #inexact = Object.fromEntries(Object.keys(INEXACT).map((what) => [what, 0])) as Inexact;
  readonly #revisions = new Map<string, number>();
  readonly #reads: readonly (readonly string[])[];
  readonly #readsAttributes: boolean;
  readonly #covering = new Map<string, readonly Covering[]>();
  readonly #outcomes = new WeakMap<DisclosureAnswer, Map<string, ReadonlyMap<string, FieldOutcome>>>();
  /** long responses: records so far, until the last part has come */
  readonly #lengths = new Map<string, number>();
  #decisions = 0;
  #states = 0;
  #leftOut = 0;

  constructor(policy: LivePolicy, before: LivePolicy | null = null) {
    this.#policy = policy;
    this.#before = before;
    const reads = policy.source.reads;
    // A bundle that does not state what it reads may read anything.
    this.#reads = reads === null ? [[]] : [...reads.values()].flatMap((r) => r.input);
    this.#readsAttributes = this.#reads.some((p) => p.length === 0 || p[0] === 'record');
  }

  take(record: DecisionRecord): void {
    if (record.kind !== 'disclosure') return;
    const first = record.part.number === 1 && (record.part.piece ?? 1) === 1;
    const { input } = record;
    if (!isAsked(input)) {
      if (first) {
        this.#decisions += 1;
        this.#leftOut += 1;
        this.#inexact.unasked += 1;
      }
      return;
    }
    if (first) {
      this.#decisions += 1;
      const revision = record.policy?.revision ?? 'unknown';
      this.#revisions.set(revision, (this.#revisions.get(revision) ?? 0) + 1);
      if (this.#reads.some((path) => holdsMasked(input, path))) this.#inexact.masked += 1;
    }
    this.#ask(record, input, first);
  }

  /** the policy that decided, if available */
  #decider({ policy }: DecisionRecord): LivePolicy | null {
    return [this.#before, this.#policy].find((p) => p !== null && p.revision === policy?.revision) ?? null;
  }

  #ask(record: DecisionRecord, asked: PolicyInput, first: boolean): void {
    const lacked = this.#lackedProof(record, asked);
    const was = wasAllowed(record) && lacked === false;
    const decision = decide(this.#policy, asked);
    const { answer, input } = decision;
    const who = whoOf(asked);
    if (answer.allow && lacked === null) {
      if (!first) return;
      this.#inexact.proofs += 1;
      this.#leftOut += 1;
      return;
    }
    if (was !== answer.allow) {
      if (!first) return;
      const codes = answer.reasons.map((r) => r.code).join(', ');
      const from = was ? 'allowed' : `denied (${record.reasons.map((r) => r.code).join(', ')})`;
      const to = answer.allow ? 'allowed' : `denied (${codes})`;
      this.#shift(
        record,
        who,
        { kind: 'verdict', path: null, direction: answer.allow ? 'wider' : 'narrower', from, to },
        1,
      );
      if (answer.allow) this.#inexact.undisclosed += 1;
      return;
    }
    if (!answer.allow) {
      if (first)
        this.#reasons(
          record,
          who,
          answer.reasons.map((r) => r.code),
        );
      return;
    }
    if (!this.#catalogued(record, who, input.resource.type, first)) return;
    if (first && !this.#search(record, who, input)) return;
    if (first && WRITES.has(input.action.name)) this.#inexact.writes += 1;
    if (first) this.#limits(record, who, asked, decision);
    const { disclosure } = record;
    if (disclosure === null) return;
    this.#length(record, who, disclosure, answer.obligations.max_records ?? null);
    this.#aged(record, who, asked, decision, disclosure, first);
    this.#disclosed(record, who, input, disclosure, first);
  }

  /** Whether the policy demanded a proof that the request lacked; null: it or the route, and which of both is not on record. */
  #lackedProof(record: DecisionRecord, asked: PolicyInput): boolean | null {
    if (!record.reasons.some((r) => PROOFS.has(r.code))) return false;
    // A good proof that was about somebody else than the request.
    if (asked.context.subject_verification?.verified === true) return false;
    const decider = this.#decider(record);
    return decider === null ? null : !decide(decider, asked).answer.allow;
  }

  #reasons(record: DecisionRecord, who: Who, codes: readonly string[]): void {
    const spell = (list: readonly string[]): string => `denied (${[...new Set(list)].sort().join(', ')})`;
    const from = spell(
      record.reasons.map((r) => r.code).filter((code) => !ERRORS.has(code) || PROOFS.has(code)),
    );
    const to = spell(codes);
    if (from !== to)
      this.#shift(record, who, { kind: 'verdict', path: null, direction: 'reason', from, to }, 1);
  }

  /** Without a catalog nothing of a resource is disclosed. @returns false: nothing else can be compared */
  #catalogued(record: DecisionRecord, who: Who, resource: string, first: boolean): boolean {
    const was = !record.reasons.some((r) => r.code === 'catalog_unknown');
    const is = this.#policy.catalogs.has(resource);
    if (was === is) return is;
    const [has, refused] = ['a catalog', 'refused (catalog_unknown)'] as const;
    const about = { kind: 'verdict', path: null } as const;
    if (first && is) {
      this.#shift(record, who, { ...about, direction: 'wider', from: refused, to: has }, 1);
      this.#inexact.undisclosed += 1;
    } else if (first)
      this.#shift(record, who, { ...about, direction: 'narrower', from: has, to: refused }, 1);
    return false;
  }

  /** Compares whether the searched fields may be searched. @returns false: nothing else can be compared */
  #search(record: DecisionRecord, who: Who, input: PolicyInput): boolean {
    const { query_fields } = input.action.properties;
    if (query_fields.length === 0) return true;
    const known = this.#policy.catalogs.has(input.resource.type);
    const hidden = known ? hiddenFields(this.#policy, input) : query_fields;
    const was = record.reasons.some((r) => r.code === 'query_field_withheld');
    if (was === hidden.length > 0) return !was;
    const refused = 'refused (query_field_withheld)';
    const path = (was ? query_fields : hidden).join(', ');
    const [from, to] = was ? [refused, 'search allowed'] : ['search allowed', refused];
    this.#shift(record, who, { kind: 'verdict', path, direction: was ? 'wider' : 'narrower', from, to }, 1);
    if (was) this.#inexact.undisclosed += 1;
    return false;
  }

  /** Obligations are not recorded: without the policy that decided they cannot be compared. */
  #limits(record: DecisionRecord, who: Who, asked: PolicyInput, { answer, filter }: Decision): void {
    const now: { readonly [name: string]: unknown } = answer.obligations;
    const decider = this.#decider(record);
    const wasFiltered = record.reasons.some((r) => r.code === 'record_filter');
    const counts = JSON.stringify(this.#policy.data['quotas']);
    if (
      (asked.context.quota !== undefined || isCounted(this.#policy, asked)) &&
      counts !== JSON.stringify(decider?.data['quotas'])
    )
      this.#inexact.quotas += 1;
    if (decider === null) {
      if (wasFiltered || filter !== null) this.#inexact.filters += 1;
      this.#inexact.obligations += 1;
      if (Number(now['min_group_size'] ?? 1) > 1) this.#inexact.groups += 1;
      return;
    }
    const then: { readonly [name: string]: unknown } = decide(decider, asked).answer.obligations;
    for (const path of new Set([...Object.keys(then), ...Object.keys(now)])) {
      const [from, to] = [then[path] ?? null, now[path] ?? null];
      if (path === 'retention' || JSON.stringify(from) === JSON.stringify(to)) continue;
      if (path === 'record_filter') this.#inexact.filters += 1;
      const direction = limitDirection(path, from, to);
      this.#shift(
        record,
        who,
        { kind: 'limit', path, direction, from: JSON.stringify(from), to: JSON.stringify(to) },
        1,
      );
    }
  }

  /** Fields of categories whose retention differs: those of records of which ages, nobody can tell from the record. */
  #aged(
    record: DecisionRecord,
    who: Who,
    asked: PolicyInput,
    now: Decision,
    { released, withheld }: DisclosureSummary,
    first: boolean,
  ): void {
    const decider = this.#decider(record);
    const then = decider === null ? null : decide(decider, asked);
    const dropped = new Map<string, number>();
    for (const row of withheld)
      if (isAged(row)) dropped.set(row.path, (dropped.get(row.path) ?? 0) + row.count);
    const shown = withheld.filter((row) => !isAged(row) && row.do !== 'drop' && !isCount(row));
    const catalog = this.#policy.catalogs.get(asked.resource.type);
    let isUnknown = false;
    for (const path of new Set([...dropped.keys(), ...released, ...shown.map((row) => row.path)]))
      for (const { resource, pointer } of this.#coveringOf(asked.resource.type, catalog, path)) {
        const line = this.#policy.catalogs.get(resource)?.fields[pointer ?? path];
        if (line === undefined || !('category' in line)) continue;
        const to = agesOf(now, resource, line.category);
        const count = dropped.get(path);
        const from =
          then === null
            ? count === undefined
              ? to
              : 'dropped in records that are too old'
            : agesOf(then, resource, line.category);
        if (then === null && to !== ANY_AGE) isUnknown = true;
        if (from === to || (then === null && to !== ANY_AGE)) continue;
        const direction = then === null ? 'wider' : ageDirection(then, now, resource, line.category);
        if (direction !== 'wider' || count === undefined) isUnknown = true;
        this.#shift(
          record,
          { ...who, resource: asked.resource.type },
          { kind: 'limit', path, direction, from, to },
          1,
        );
      }
    if (isUnknown && first) this.#inexact.ages += 1;
  }

  /** A list that is longer than allowed now, or that was cut off and would not be. */
  #length(
    record: DecisionRecord,
    who: Who,
    { records, withheld_reasons }: DisclosureSummary,
    most: number | null,
  ): void {
    const id = record.decision_id;
    const total = (this.#lengths.get(id) ?? 0) + records;
    const { last } = record.part;
    if (last) this.#lengths.delete(id);
    else this.#lengths.set(id, total);
    // An answer without a body (a refusal, HEAD) has no length.
    if (!last || !record.response?.bytes || this.#decider(record) !== null) return;
    const cut = withheld_reasons?.['max_records'] ?? 0;
    const about = { kind: 'limit', path: 'max_records' } as const;
    if (most !== null && total > most)
      this.#shift(
        record,
        who,
        { ...about, direction: 'narrower', from: 'more records left', to: `${most}` },
        total - most,
      );
    else if (cut > 0 && (most === null || most > total))
      this.#shift(
        record,
        who,
        { ...about, direction: 'wider', from: 'cut off', to: most === null ? 'no limit' : `${most}` },
        cut,
      );
  }

  #disclosed(
    record: DecisionRecord,
    who: Who,
    input: PolicyInput,
    disclosure: DisclosureSummary,
    first: boolean,
  ): void {
    const states = disclosure.answers ?? [];
    if (first && states.length === 0 && disclosure.records + disclosure.records_withheld > 0)
      this.#inexact.states += 1;
    this.#inexact.states += disclosure.answers_omitted ?? 0;
    // What was shown of a written record is decided as for a read.
    const shown = WRITES.has(input.action.name) ? asRead(input) : input;
    const answers = new Map<RecordedState, DisclosureAnswer>();
    for (const state of states) {
      const answer = this.#state(record, who, shown, state);
      if (answer !== null) answers.set(state, answer);
    }
    const catalog = this.#policy.catalogs.get(input.resource.type);
    const rows = new Map<string, Rows>();
    const rowsAt = (path: string): Rows => {
      const known = rows.get(path) ?? { released: false, withheld: [] };
      rows.set(path, known);
      return known;
    };
    for (const path of disclosure.released) rowsAt(path).released = true;
    for (const row of disclosure.withheld)
      if (!NOT_OF_THE_POLICY.has(row.because) && !isCount(row) && !isAged(row))
        rowsAt(row.path).withheld.push(row);
    for (const [path, at] of rows) this.#field(record, who, shown, catalog, path, at, answers, states);
  }

  /** @returns the policy's answer about a state whose records are released both then and now */
  #state(
    record: DecisionRecord,
    who: Who,
    input: PolicyInput,
    state: RecordedState,
  ): DisclosureAnswer | null {
    this.#states += 1;
    if (this.#readsAttributes) this.#inexact.attributes += 1;
    if (
      this.#policy.reads_consent_dates &&
      state.consents.some((c) => c.from === undefined && c.until === undefined)
    )
      this.#inexact.dates += 1;
    const answer = this.#policy.disclose(questionOf(input, state));
    const withheld = withheldBy(answer);
    const about = { ...who, resource: state.resource };
    if ((withheld === null) === state.disclose) return withheld === null ? answer : null;
    const opened = withheld === null;
    const catalog = this.#policy.catalogs.get(state.resource);
    const gives =
      opened && catalog !== undefined
        ? [...this.#outcomesOf(catalog, state.resource, answer)].flatMap(([path, outcome]) =>
            outcome.do === 'disclose' ? path : [],
          )
        : [];
    const [from, to] = ['record withheld', 'record disclosed'];
    this.#shift(
      record,
      about,
      opened
        ? { kind: 'record', path: null, direction: 'wider', from, to, gives }
        : {
            kind: 'record',
            path: null,
            direction: 'narrower',
            from: to,
            to: `${from} (${withheld!.join(', ')})`,
          },
      state.count,
    );
    return null;
  }

  #field(
    record: DecisionRecord,
    who: Who,
    input: PolicyInput,
    catalog: Catalog | undefined,
    path: string,
    rows: Rows,
    answers: ReadonlyMap<RecordedState, DisclosureAnswer>,
    states: readonly RecordedState[],
  ): void {
    const decider = this.#decider(record);
    for (const { resource, path: line, pointer } of this.#coveringOf(input.resource.type, catalog, path)) {
      const own = states.filter((state) => state.resource === resource);
      if (own.length === 0) {
        // The catalog has the field in a resource that was not queried then.
        if (line !== null) this.#inexact.elsewhere += 1;
        continue;
      }
      const embedded = this.#policy.catalogs.get(resource);
      for (const state of own) {
        const answer = answers.get(state);
        if (answer === undefined || catalog === undefined || embedded === undefined) continue;
        const to = line === null ? GONE : (this.#outcomesOf(catalog, resource, answer).get(line) ?? GONE);
        const from = fateThen(rows, state, [pointer ?? path], to, embedded, own);
        if (from === null) continue;
        const count = valuesOf(rows, from, own.length === 1 ? null : state);
        let [a, b] = [from, to];
        if (from.do === to.do && PARAMETRISED.has(to.do)) {
          if (record.policy?.revision === this.#policy.revision) continue;
          const then = decider === null ? undefined : this.#decided(decider, input, state, resource, path);
          if (then === undefined) {
            this.#inexact.parameters += count;
            continue;
          }
          [a, b] = [then, to];
        }
        const direction = directionOf(a, { ...b, because: a.because });
        if (direction === null) continue;
        const spell = (outcome: FieldOutcome): string =>
          direction === 'other' ? `${outcome.do} ${JSON.stringify(outcome.with ?? {})}` : outcome.do;
        const about = { kind: 'field', path, direction, from: spell(a), to: spell(b) } as const;
        this.#shift(record, { ...who, resource: input.resource.type }, about, count);
      }
    }
  }

  /** The treatment by the policy that decided, with its parameters. */
  #decided(
    decider: LivePolicy,
    input: PolicyInput,
    state: RecordedState,
    resource: string,
    path: string,
  ): FieldOutcome | undefined {
    const catalog = decider.catalogs.get(input.resource.type);
    if (catalog === undefined) return undefined;
    const answer = decider.disclose(questionOf(input, state));
    const outcomes = outcomesOf(decider, catalog, resource, answer);
    const lines = coveringOf(decider.catalogs, catalog, path);
    return lines.flatMap((l) => (l.path === null ? [] : (outcomes.get(l.path) ?? [])))[0];
  }

  #coveringOf(outer: string, catalog: Catalog | undefined, path: string): readonly Covering[] {
    if (catalog === undefined) return [{ resource: outer, path: null, pointer: null }];
    const key = `${outer} ${path}`;
    const known = this.#covering.get(key) ?? coveringOf(this.#policy.catalogs, catalog, path);
    this.#covering.set(key, known);
    return known.length > 0 ? known : [{ resource: outer, path: null, pointer: null }];
  }

  #outcomesOf(
    catalog: Catalog,
    resource: string,
    answer: DisclosureAnswer,
  ): ReadonlyMap<string, FieldOutcome> {
    const known = this.#outcomes.get(answer) ?? new Map<string, ReadonlyMap<string, FieldOutcome>>();
    this.#outcomes.set(answer, known);
    const key = `${catalog.resource} ${resource}`;
    const outcomes = known.get(key) ?? outcomesOf(this.#policy, catalog, resource, answer);
    known.set(key, outcomes);
    return outcomes;
  }

  #shift(
    record: DecisionRecord,
    who: Who,
    about: Pick<Shift, 'kind' | 'path' | 'direction' | 'from' | 'to' | 'gives'>,
    count: number,
  ): void {
    const key = JSON.stringify([about, who]);
    let shift = this.#shifts.get(key);
    if (shift === undefined) {
      shift = { ...who, ...about, decisions: 0, count: 0, examples: [] };
      this.#shifts.set(key, shift);
    }
    shift.count += count;
    if (about.direction !== 'reason') this.#differing.add(record.decision_id);
    const ids = this.#ids.get(shift) ?? new Set<string>();
    this.#ids.set(shift, ids);
    if (ids.has(record.decision_id)) return;
    ids.add(record.decision_id);
    shift.decisions += 1;
    if (shift.examples.length < EXAMPLES) shift.examples.push(record.decision_id);
  }

  /** Recorded decisions with any of these changes. */
  decisionsWith(matches: (shift: Shift) => boolean): number {
    const found = new Set<string>();
    for (const shift of this.#shifts.values())
      if (matches(shift)) for (const id of this.#ids.get(shift) ?? []) found.add(id);
    return found.size;
  }

  result(): Replay {
    const kinds = { verdict: 0, record: 1, field: 2, limit: 3 } as const;
    return {
      decisions: this.#decisions,
      states: this.#states,
      same: this.#decisions - this.#leftOut - this.#differing.size,
      left_out: this.#leftOut,
      revisions: Object.fromEntries(this.#revisions),
      shifts: [...this.#shifts.values()].sort(
        (a, b) =>
          DIRECTIONS.indexOf(a.direction) - DIRECTIONS.indexOf(b.direction) ||
          Number(b.to === 'disclose') - Number(a.to === 'disclose') ||
          kinds[a.kind] - kinds[b.kind] ||
          b.count - a.count,
      ),
      inexact: this.#inexact,
    };
  }
}
