/**
 * Recorded decisions asked again of another policy. What is on record is compared with what the other policy says to the same
 * question at the same time; what is not on record (attributes of records, hidden members) is counted, not guessed.
 */
import { ERROR_CODES } from '../../errors.ts';
import { MASKED } from '../../decision-log/mask.ts';
import type { DisclosureAnswer } from '../../model/answers.ts';
import type { PolicyInput } from '../../model/input.ts';
import type { AskedState, DecisionRecord } from '../../model/record.ts';
import { isObject } from '../../policy/document.ts';
import type { LivePolicy } from '../../policy/snapshot.ts';
import { cellsOf } from './grid.ts';

export interface Who {
  readonly roles: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
  readonly action: string;
}

/** the same change for the same kind of request */
export interface Shift extends Who {
  readonly kind: 'verdict' | 'record' | 'class';
  /** of a class or a single field */
  readonly cls: string | null;
  readonly from: string;
  readonly to: string;
  decisions: number;
  /** records in the states that change; requests for a verdict */
  count: number;
  /** ids of the first few */
  readonly examples: string[];
}

export interface Inexact {
  /** no input on record: the request never came to the policy, or the record was too long */
  unasked: number;
  /** the policy reads members of the input that are masked in the record */
  masked: number;
  /** it reads attributes of records, which are values and never on record */
  attributes: number;
  /** it reads dates of consents that the record does not have */
  dates: number;
  /** states that were not listed in the record, or a record from before they were */
  states: number;
  /** allowed by this policy and denied then: what would have been disclosed nobody has seen */
  undisclosed: number;
}

export interface Rehearsal {
  readonly decisions: number;
  readonly states: number;
  readonly same: number;
  readonly revisions: { readonly [revision: string]: number };
  readonly shifts: readonly Shift[];
  readonly inexact: Inexact;
}

const EXAMPLES = 3;

export class Rehearser {
  readonly #policy: LivePolicy;
  readonly #shifts = new Map<string, Shift>();
  readonly #inexact: Inexact = { unasked: 0, masked: 0, attributes: 0, dates: 0, states: 0, undisclosed: 0 };
  readonly #revisions = new Map<string, number>();
  readonly #reads: readonly (readonly string[])[];
  readonly #readsAttributes: boolean;
  #decisions = 0;
  #states = 0;
  #same = 0;

  constructor(policy: LivePolicy) {
    this.#policy = policy;
    const reads = policy.source.reads;
    // A bundle that does not say what it reads may read anything.
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
    const before = this.#shiftCount();
    this.#ask(record, input, first);
    if (first && this.#shiftCount() === before) this.#same += 1;
  }

  #shiftCount(): number {
    let n = 0;
    for (const shift of this.#shifts.values()) n += shift.decisions;
    return n;
  }

  #ask(record: DecisionRecord, input: PolicyInput, first: boolean): void {
    const was = wasAllowed(record);
    const answer = this.#policy.decide(input);
    const who = whoOf(input);
    if (was !== answer.allow) {
      if (!first) return;
      const reasons = answer.reasons.map((r) => r.code).join(', ');
      this.#shift(
        record,
        who,
        'verdict',
        null,
        was ? 'allowed' : 'denied',
        `${answer.allow ? 'allowed' : 'denied'} (${reasons})`,
        1,
      );
      if (answer.allow) this.#inexact.undisclosed += 1;
      return;
    }
    const { disclosure } = record;
    if (!answer.allow || disclosure === null) return;
    const states = disclosure.answers ?? [];
    if (first && states.length === 0 && disclosure.records + disclosure.records_withheld > 0)
      this.#inexact.states += 1;
    this.#inexact.states += disclosure.answers_omitted ?? 0;
    const tier = answer.tier ?? input.context.tier;
    for (const state of states)
      this.#state(record, who, { ...input, context: { ...input.context, tier } }, state);
  }

  #state(record: DecisionRecord, who: Who, input: PolicyInput, state: AskedState): void {
    this.#states += 1;
    if (this.#readsAttributes) this.#inexact.attributes += 1;
    if (
      this.#policy.reads_consent_dates &&
      state.consents.some((c) => c.from === undefined && c.until === undefined)
    )
      this.#inexact.dates += 1;
    const answer = this.#policy.disclose({
      ...input,
      resource:
        state.resource === input.resource.type
          ? input.resource
          : { type: state.resource, properties: input.resource.properties },
      data_subject: { consents: state.consents, flags: state.flags },
      record: { attributes: {} },
    });
    const about = { ...who, resource: state.resource };
    if (answer.disclose !== state.disclose) {
      this.#shift(
        record,
        about,
        'record',
        null,
        spellRecord(state.disclose, []),
        spellRecord(answer.disclose, answer.reasons),
        state.count,
      );
      return;
    }
    if (!answer.disclose) return;
    for (const [cls, from, to] of differences(state, answer))
      this.#shift(record, about, 'class', cls, from, to, state.count);
  }

  #shift(
    record: DecisionRecord,
    who: Who,
    kind: Shift['kind'],
    cls: string | null,
    from: string,
    to: string,
    count: number,
  ): void {
    const key = JSON.stringify([kind, cls, from, to, who]);
    let shift = this.#shifts.get(key);
    if (shift === undefined) {
      shift = { ...who, kind, cls, from, to, decisions: 0, count: 0, examples: [] };
      this.#shifts.set(key, shift);
    }
    shift.count += count;
    if (shift.examples.at(-1) === record.decision_id) return;
    shift.decisions += 1;
    if (shift.examples.length < EXAMPLES) shift.examples.push(record.decision_id);
  }

  result(): Rehearsal {
    const order = { verdict: 0, record: 1, class: 2 } as const;
    return {
      decisions: this.#decisions,
      states: this.#states,
      same: this.#same,
      revisions: Object.fromEntries(this.#revisions),
      shifts: [...this.#shifts.values()].sort((a, b) => order[a.kind] - order[b.kind] || b.count - a.count),
      inexact: this.#inexact,
    };
  }
}

const spellRecord = (disclose: boolean, reasons: DisclosureAnswer['reasons']): string =>
  `${disclose ? 'record disclosed' : 'record withheld'}${reasons.length > 0 ? ` (${reasons.map((r) => r.code).join(', ')})` : ''}`;

function* differences(state: AskedState, answer: DisclosureAnswer): Generator<[string, string, string]> {
  const recorded = new Map<string, string>();
  for (const [treatment, names] of Object.entries(state.treatments))
    for (const name of names) recorded.set(name, treatment);
  const now = cellsOf(answer, Object.keys(answer.classes));
  for (const name of new Set([...recorded.keys(), ...Object.keys(now)])) {
    // A class that an answer does not name is dropped; a field that it does not name is treated as its class.
    const nothing = name.startsWith('/') ? 'as its class' : 'drop';
    const from = recorded.get(name) ?? nothing;
    const to = now[name]?.do ?? nothing;
    if (from !== to) yield [name, from, to];
  }
}

const CODES: ReadonlySet<string> = new Set(ERROR_CODES.filter((c) => !c.startsWith('policy_')));

/** What the policy had said: a request that was refused later on (by the guard, by the upstream) had been allowed. */
function wasAllowed(record: DecisionRecord): boolean {
  if (record.outcome === 'allowed' || record.outcome === 'modified' || record.upstream !== null) return true;
  return record.reasons.some((r) => CODES.has(r.code));
}

function isAsked(input: DecisionRecord['input']): input is PolicyInput {
  return (
    isObject(input) && isObject(input['subject']) && isObject(input['context']) && isObject(input['action'])
  );
}

function holdsMasked(input: unknown, path: readonly string[]): boolean {
  let value: unknown = input;
  for (const step of path) {
    if (!isObject(value)) return value === MASKED;
    value = value[step];
  }
  return (
    value === MASKED ||
    (typeof value === 'object' && value !== null && JSON.stringify(value).includes(`"${MASKED}"`))
  );
}

function whoOf(input: PolicyInput): Who {
  return {
    roles: [...(input.subject.properties.roles ?? [])].sort().join('+'),
    purpose: input.context.purpose,
    recipient: input.context.recipient,
    resource: input.resource.type,
    action: input.action.name,
  };
}
