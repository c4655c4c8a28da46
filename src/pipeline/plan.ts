/** What every stage behind the decision goes by, and how bytes of the upstream are disclosed by it. */
import type { Account } from './account.ts';
import type { DecisionAnswer } from '../model/answers.ts';
import type { Catalog } from '../model/catalog.ts';
import type { DisclosurePlan } from '../model/disclosure.ts';
import type { ProxyRequest } from '../model/exchange.ts';
import type { PolicyInput } from '../model/input.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { disclosureInput } from '../model/verdict.ts';
import type { Selected } from '../routing/index.ts';
import type { Stages } from './stages.ts';

/** A request that the policy has let through. */
export interface Decided {
  readonly request: ProxyRequest;
  readonly selected: Selected;
  /** the id that the consents of the person are kept under whom the request names; null: it names nobody */
  readonly dataSubject: string | null;
  readonly snapshot: PolicySnapshot;
  /** what the policy was asked */
  readonly input: PolicyInput;
  readonly catalog: Catalog;
  readonly decision: DecisionAnswer;
}

type Body = Pick<DisclosurePlan, 'format' | 'charset' | 'records' | 'options'>;

/**
 * @param input what the policy is asked about each record: `asRead` of a write's
 * @param body what is special to this body
 */
export const planOf = <B extends Body>(
  { dataSubject, snapshot, catalog, decision }: Decided,
  input: PolicyInput,
  body: B,
  account: Account,
  stages: Stages,
): DisclosurePlan => ({
  catalog,
  catalogs: snapshot.catalogs,
  dataSubject,
  obligations: decision.obligations,
  recipient: input.context.recipient,
  purpose: input.context.purpose,
  decisionId: account.id,
  attributesRead: snapshot.reads_attributes,
  identify: (values) => stages.identities.identify(snapshot.data, values),
  consents: stateLookup(stages, account),
  ask: askOf(snapshot, input),
  ...body,
});

const askOf =
  (snapshot: PolicySnapshot, input: PolicyInput): DisclosurePlan['ask'] =>
  (resource, data_subject, attributes) =>
    snapshot.disclose(disclosureInput(input, resource, data_subject, attributes));

function stateLookup(stages: Stages, account: Account): DisclosurePlan['consents'] {
  const at = new Date(account.timestamp);
  return (ids) => stages.consents.lookup(ids, at);
}
