/** The disclosure matrix: queries a policy for every combination of its axes, field by field. */
import { type FieldOutcome, type FieldAt, fieldsOf } from '../../../disclosure/fields/outcomes.ts';
import { RECORD_WRITES, WRITES } from '../../../model/actions.ts';
import { type Catalog, writeModeOf } from '../../../model/catalog.ts';
import { type DataSubjectState, NO_STATE } from '../../../model/consent.ts';
import type { DecisionAnswer, DisclosureAnswer } from '../../../model/answers.ts';
import type { PolicyInput, Subject, Tier } from '../../../model/input.ts';
import type { PolicySnapshot } from '../../../model/policy.ts';
import type { RetentionRule } from '../../../model/retention.ts';
import { asRead, disclosureInput, withheldBy, withoutCategories } from '../../../model/verdict.ts';
import { decide, policyInput } from '../../../pipeline/authorize.ts';
import type { Axes, AxesOptions } from './axes.ts';

/** A field and its result. */
export interface Cell extends FieldOutcome {
  /** class; null: no catalog entry names it */
  readonly cls: string | null;
  /** of the catalog with its entry */
  readonly resource: string;
}

/** The results for one caller, one resource and one kind of request. */
export interface Row {
  readonly role: string;
  readonly purpose: string;
  /** effective tier; null: the policy has no tiers */
  readonly tier: Tier | null;
  readonly recipient: string;
  readonly resource: string;
  readonly action: string;
  readonly obligations: DecisionAnswer['obligations'];
  /** state → field, by its path from the record's root → result */
  readonly states: { readonly [state: string]: { readonly [path: string]: Cell } };
  /** writable fields, for a person who agreed to everything; null: this caller writes nothing here */
  readonly writes: Writes | null;
}

export interface Writes {
  readonly action: string;
  /** field → whether it is writable, and why */
  readonly may: { readonly [path: string]: { readonly write: boolean; readonly because: string } };
}

export interface Denied {
  readonly role: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
  readonly reasons: readonly string[];
}

export interface Grid {
  readonly revision: string;
  readonly name: string;
  readonly rows: readonly Row[];
  /** combinations that are denied for every tier and action */
  readonly denied: readonly Denied[];
  readonly cells: number;
  /** of records that are older than retention allows: columns beside the states, of rows with such rules */
  readonly ages: readonly { readonly name: string; readonly title: string }[];
}

export const combinations = (axes: Axes): number =>
  axes.roles.length * axes.purposes.length * axes.recipients.length * axes.resources.length;

export function gridOf(
  policy: PolicySnapshot,
  axes: Axes,
  options: AxesOptions,
  step: () => void = () => undefined,
): Grid {
  const rows: Row[] = [];
  const denied: Denied[] = [];
  let cells = 0;
  const ages = new Map<string, string>();
  for (const role of axes.roles)
    for (const purpose of axes.purposes)
      for (const recipient of axes.recipients)
        for (const resource of axes.resources) {
          const { found, reasons } = waysIn(policy, axes, options, { role, purpose, recipient, resource });
          if (found.length === 0) denied.push({ role, purpose, recipient, resource, reasons });
          for (const way of found) {
            const { input, tier, obligations } = way;
            const states: { [state: string]: { [path: string]: Cell } } = {};
            for (const state of axes.states) {
              const line: { [path: string]: Cell } = Object.create(null);
              for (const { path, cls, resource: of, outcome } of seenBy(
                policy,
                input,
                state.of(purpose, recipient),
              ))
                line[path] = { ...outcome, cls, resource: of };
              cells += Object.keys(line).length;
              states[state.name] = line;
            }
            for (const { name, title, over } of agesOf(way)) {
              const agreed = axes.states.find((state) => state.name === 'agreed');
              if (agreed === undefined) continue;
              ages.set(name, title);
              const line: { [path: string]: Cell } = Object.create(null);
              for (const { path, cls, resource: of, outcome } of seenBy(
                policy,
                input,
                agreed.of(purpose, recipient),
                over,
              ))
                line[path] = { ...outcome, cls, resource: of };
              cells += Object.keys(line).length;
              states[name] = line;
            }
            const action = input.action.name;
            const writes = writesOf(policy, axes, input);
            rows.push({ role, purpose, tier, recipient, resource, action, obligations, states, writes });
          }
          step();
        }
  return {
    revision: policy.revision,
    name: policy.bundle,
    rows,
    denied,
    cells,
    ages: [...ages].map(([name, title]) => ({ name, title })),
  };
}

/** resource → categories whose time is over */
type Over = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** For each period of retention, what is over in a record that is older. */
function agesOf({ retention, obligations }: Way): { name: string; title: string; over: Over }[] {
  const periods = new Map<string, string>();
  for (const [n, { condition }] of retention.entries()) {
    const { within } = obligations.retention?.[n] ?? {};
    if (within !== undefined) periods.set(within, String(condition.at_least));
  }
  return [...periods]
    .sort(([, a], [, b]) => (a < b ? 1 : -1))
    .map(([period, since]) => {
      const over = new Map<string, Map<string, string>>();
      for (const { category, condition } of retention) {
        if (String(condition.at_least) < since) continue;
        const of = over.get(condition.resource) ?? new Map<string, string>();
        over.set(condition.resource, of.set(category, 'retention_over'));
      }
      return {
        name: `older_than_${period}`,
        title: `agreed explicitly to every category; the record is older than ${period}, by the date that retention names`,
        over,
      };
    });
}

/** The view of a record whose data subject is in a state; embedded resources are in the same state. */
export function seenBy(
  policy: PolicySnapshot,
  input: PolicyInput,
  state: DataSubjectState,
  over: Over = NOTHING_OVER,
): readonly FieldAt[] {
  const catalog = policy.catalogs.get(input.resource.type);
  if (catalog === undefined) return [];
  const asked = WRITES.has(input.action.name) ? asRead(input) : input;
  const answers = answering(policy, asked, state);
  const answerOf = (resource: string): DisclosureAnswer => {
    const [answer, categories, of] = [answers(resource), over.get(resource), policy.catalogs.get(resource)];
    return categories === undefined || of === undefined ? answer : withoutCategories(answer, of, categories);
  };
  return fieldsOf(policy.catalogs, catalog, answerOf).all;
}

const NOTHING_OVER: Over = new Map();

/** The state of a data subject matters only if the record names one. */
const answering =
  (policy: PolicySnapshot, input: PolicyInput, state: DataSubjectState) =>
  (resource: string): DisclosureAnswer => {
    const embedded = resource === input.resource.type ? undefined : policy.catalogs.get(resource);
    const nobodys = embedded !== undefined && embedded.data_subject.length === 0;
    return policy.disclose(disclosureInput(input, resource, nobodys ? NO_STATE : state));
  };

/** A field is writable if the answer about the write discloses it, unless the catalog or the data forbids writes. */
export function writtenBy(
  policy: PolicySnapshot,
  input: PolicyInput,
  state: DataSubjectState,
): readonly FieldAt[] {
  const catalog = policy.catalogs.get(input.resource.type);
  if (catalog === undefined) return [];
  const { all } = fieldsOf(policy.catalogs, catalog, answering(policy, input, state));
  return all.map((field): FieldAt => {
    if (field.resource !== catalog.resource && catalog.variants === undefined)
      return { ...field, outcome: { do: 'drop', because: 'embedded_resource' } };
    return isNeverWritten(policy, policy.catalogs.get(field.resource) ?? catalog, field.pointer)
      ? { ...field, outcome: { do: 'drop', because: 'write_never' } }
      : field;
  });
}

function isNeverWritten(policy: PolicySnapshot, catalog: Catalog, pointer: string): boolean {
  const entry = Object.hasOwn(catalog.fields, pointer) ? catalog.fields[pointer] : undefined;
  return entry !== undefined && 'category' in entry && writeModeOf(entry, policy.data) === 'never';
}

/** Codes of the reasons why a record of a person in a state may not be written or deleted; null: it may. */
export const recordRefusedTo = (
  policy: PolicySnapshot,
  input: PolicyInput,
  state: DataSubjectState,
): readonly string[] | null => withheldBy(answering(policy, input, state)(input.resource.type));

/** The same caller who writes. */
function writesOf(policy: PolicySnapshot, axes: Axes, input: PolicyInput): Writes | null {
  const agreed = axes.states.find(({ name }) => name === 'agreed');
  const state = agreed?.of(input.context.purpose, input.context.recipient) ?? NO_STATE;
  for (const name of RECORD_WRITES) {
    const asked = { ...input, action: { ...input.action, name } };
    if (!decide(policy, asked).answer.allow) continue;
    const may: { [path: string]: { write: boolean; because: string } } = Object.create(null);
    for (const { path, outcome } of writtenBy(policy, asked, state))
      may[path] = { write: outcome.do === 'disclose', because: outcome.because };
    return { action: name, may };
  }
  return null;
}

interface Way {
  readonly input: PolicyInput;
  readonly tier: Tier | null;
  readonly obligations: DecisionAnswer['obligations'];
  readonly retention: readonly RetentionRule[];
}

export interface Question {
  readonly role: string;
  readonly purpose: string;
  readonly recipient: string;
  readonly resource: string;
}

/** The allowed kinds of request, one for each effective tier: the first subject and action that are allowed. */
function waysIn(
  policy: PolicySnapshot,
  axes: Axes,
  options: AxesOptions,
  question: Question,
): { found: Way[]; reasons: string[] } {
  const found = new Map<Tier | null, Way>();
  const reasons = new Set<string>();
  for (const tier of axes.tiers) {
    if (found.has(tier)) continue;
    const way = firstAllowed(policy, axes, options, question, tier, reasons);
    if (way !== null && !found.has(way.tier)) found.set(way.tier, way);
  }
  return { found: [...found.values()], reasons: [...reasons].sort() };
}

function firstAllowed(
  policy: PolicySnapshot,
  axes: Axes,
  options: AxesOptions,
  { role, purpose, recipient, resource }: Question,
  tier: Tier | null,
  reasons: Set<string>,
): Way | null {
  for (const subject of axes.subjects(role, recipient))
    for (const action of axes.actions) {
      const asked = inputOf(subject, action, resource, purpose, recipient, tier, options);
      const { answer, input, retention } = decide(policy, qualified(policy, asked));
      if (!answer.allow) {
        if (tier === null) for (const { code } of answer.reasons) reasons.add(code);
        continue;
      }
      return { tier: input.context.tier, input, obligations: answer.obligations, retention };
    }
  return null;
}

export const clearedFor = (subject: Subject, clearance: number | null): Subject => ({
  ...subject,
  properties: { ...subject.properties, clearance },
});

/**
 * The same caller with what the decision asks for besides: the properties that a `record_filter` depends on, of some value, and a proof of dealing
 * with the data subject. What is asked here is what becomes of the fields of a record that may be disclosed.
 */
export function qualified(policy: PolicySnapshot, input: PolicyInput): PolicyInput {
  const { subject, context } = input;
  const { record_filter, subject_verification } = decide(policy, input).answer.obligations;
  const names = (record_filter ?? []).flatMap(({ in: values }) =>
    values === undefined || Array.isArray(values) || !('subject' in values) ? [] : [values.subject],
  );
  const missing = names.filter((name) => !Object.hasOwn(subject.properties, name));
  const method = context.subject_verification === undefined ? subject_verification?.[0] : undefined;
  if (missing.length === 0 && method === undefined) return input;
  const held = Object.fromEntries(missing.map((name) => [name, `any ${name}`]));
  const proof = { at: context.time, data_subject: 'the one who is asked about', method, verified: true };
  return {
    ...input,
    context: method === undefined ? context : { ...context, subject_verification: { ...proof, method } },
    subject: { ...subject, properties: { ...held, ...subject.properties } },
  };
}

export function inputOf(
  subject: Subject,
  action: string,
  resource: string,
  purpose: string,
  recipient: string,
  tier: Tier | null,
  { justification, at }: Pick<AxesOptions, 'justification' | 'at'>,
): PolicyInput {
  return policyInput({
    subject,
    action: { name: action, properties: { query_fields: [], body_fields: [] } },
    resource: { type: resource, properties: {} },
    use: { purpose, recipient, tier, justification },
    grants: [],
    request: { method: 'GET', route: `GET /${resource}`, client_ip: null },
    time: at,
  });
}
