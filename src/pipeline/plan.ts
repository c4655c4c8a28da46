/** An authorized request with what disclosure needs, and the plan by which a body is disclosed. */
import type { DecisionAnswer } from '../model/answers.ts';
import type { Catalog } from '../model/catalog.ts';
import type { DisclosurePlan } from '../model/disclosure.ts';
import type { ProxyRequest } from '../model/exchange.ts';
import type { PolicyInput } from '../model/input.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import type { RecordFilter } from '../model/record-filter.ts';
import type { RetentionRule } from '../model/retention.ts';
import { disclosureInput } from '../model/verdict.ts';
import type { Selected } from '../routing/index.ts';
import { consentLookup } from './look-ups.ts';
import type { DecisionEntry } from './record.ts';
import type { Stages } from './stages.ts';

/** A request that the policy permits, of a resource that has a catalog. */
export interface Access {
  readonly request: Pick<ProxyRequest, 'method' | 'target' | 'headers' | 'hasBody' | 'onAbort'>;
  readonly selected: Selected;
  /** the data subject that the request names, by the id that its consents are kept under; null: it names none */
  readonly dataSubject: string | null;
  /** when the identifier in the request was resolved to that id, and how it is resolved again; null: it is the id itself */
  readonly resolved: {
    /** microseconds of the clock */
    readonly at: number;
    again(): string | null | Promise<string | null>;
  } | null;
  readonly snapshot: PolicySnapshot;
  /** what the policy was asked, in the tier in force */
  readonly input: PolicyInput;
  readonly catalog: Catalog;
  readonly decision: DecisionAnswer;
  /** which records may be disclosed at all; null: any */
  readonly filter: RecordFilter | null;
  /** categories that are dropped in older records */
  readonly retention: readonly RetentionRule[];
  /** the only data subject whose records may be disclosed or written; null: any */
  readonly provenSubject: string | null;
}

type Body = Pick<DisclosurePlan, 'format' | 'charset' | 'records' | 'options'>;

/**
 * @param input of the questions about records: `asRead` for the answer to a write
 * @param body members of the plan that depend on the body
 */
export const disclosurePlan = <B extends Body>(
  { dataSubject, snapshot, catalog, decision, filter, retention, provenSubject }: Access,
  input: PolicyInput,
  body: B,
  entry: DecisionEntry,
  stages: Stages,
): DisclosurePlan => ({
  catalog,
  catalogs: snapshot.catalogs,
  dataSubject,
  obligations: decision.obligations,
  filter,
  retention,
  provenSubject,
  recipient: input.context.recipient,
  purpose: input.context.purpose,
  decisionId: entry.id,
  attributesRead: snapshot.reads_attributes,
  identify: (values) => stages.identities.identify(snapshot.data, values),
  consents: consentLookup(stages, entry),
  ask: disclosureOf(snapshot, input),
  ...body,
});

const disclosureOf =
  (snapshot: PolicySnapshot, input: PolicyInput): DisclosurePlan['ask'] =>
  (resource, data_subject, attributes) =>
    snapshot.disclose(disclosureInput(input, resource, data_subject, attributes));
