/** Which of several things a caller may ask for at all, so that a list shows no other ones. Nothing is reserved, counted or opened for review. */
import { isSluiceError } from '../errors.ts';
import type { Headers, Peer } from '../identity/types.ts';
import type { Resource } from '../model/input.ts';
import { authenticate, decide, grantsFor, policyInput, purposeOf } from './authorize.ts';
import type { DecisionEntry } from './record.ts';
import type { Stages } from './stages.ts';

export interface Listed {
  readonly resource: Resource;
  readonly action: string;
  /** the purpose where the request states none; null: the caller's, or the configured default */
  readonly purpose: string | null;
  readonly queryFields: readonly string[];
  readonly bodyFields: readonly string[];
}

/** A missing proof can be brought, so that what demands one is shown. */
const PROOFS: ReadonlySet<string> = new Set(['verification_required', 'verification_expired']);

/**
 * @returns for each, whether the policy permits it for the purpose that the request states
 * @throws SluiceError `token_*`, and what refuses the purpose of all of them
 */
export async function permitted(
  { headers, peer }: { readonly headers: Headers; readonly peer: Peer },
  listed: readonly Listed[],
  entry: DecisionEntry,
  stages: Stages,
): Promise<readonly boolean[]> {
  const caller = await authenticate({ headers, peer }, entry, stages);
  entry.endStage('routing');
  const snapshot = stages.policy.current();
  entry.policy = { bundle: snapshot.bundle, revision: snapshot.revision };
  const known = stages.knownNames(snapshot);
  const answers: boolean[] = [];
  let refusal: unknown = null;
  for (const { resource, action, purpose, queryFields, bodyFields } of listed) {
    const properties = { body_fields: bodyFields, query_fields: queryFields };
    const route = {
      action,
      resource,
      purpose,
      single: false,
      verification: null,
      properties: () => properties,
    };
    try {
      const use = purposeOf(headers, caller, route, known, stages);
      entry.setPurpose(use);
      const held = await grantsFor(resource, caller.subject, use, new Date(entry.timestamp), stages);
      const asked = policyInput({
        action: { name: action, properties },
        ...(caller.agent === undefined ? {} : { agent: caller.agent }),
        grants: held.grants,
        request: entry.request,
        resource,
        subject: caller.subject,
        time: entry.timestamp,
        use,
      });
      const { answer } = decide(snapshot, asked);
      const isProof = answer.reasons.length > 0 && answer.reasons.every(({ code }) => PROOFS.has(code));
      answers.push(answer.allow || isProof);
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      refusal ??= error;
      answers.push(false);
    }
  }
  entry.endStage('decision');
  // A client that forgot its purpose is told so, and does not take the list for empty.
  if (refusal !== null && !answers.includes(true)) throw refusal;
  return answers;
}
