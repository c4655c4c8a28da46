/**
 * Calls of the admin API: who asks, for which operation, and whether the policy permits it. The only call of `sluice/admin`; every operation
 * is permitted here, so that no check can be missing in one of them.
 */
import type { Authenticated, Headers, Peer } from '../identity/types.ts';
import type { AdminInput } from '../model/administration.ts';
import { isChange, type OperationName } from '../model/operations.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { authenticate } from './authorize.ts';
import type { DecisionEntry } from './record.ts';
import { denied } from './refusal.ts';
import type { Stages } from './stages.ts';

export interface AdminTarget {
  readonly operation: OperationName;
  readonly resource: AdminInput['resource'];
}

export interface AdminCall<T extends AdminTarget> {
  /** with the caller's credential */
  readonly headers: Headers;
  readonly peer: Peer;
  /** Called once the caller is known: without a valid credential nothing is looked up and no body is read. */
  target(caller: Authenticated): T | Promise<T>;
}

/** A call that the policy permits. */
export interface Administered<T extends AdminTarget> {
  readonly target: T;
  readonly caller: Authenticated;
  /** pinned to the end of the call */
  readonly snapshot: PolicySnapshot;
}

/**
 * Fills in the entry on the way, so that a refusal is recorded with what was known by then.
 * @throws SluiceError every refusal: of the credential, of what `target` throws, and of the policy (`policy_denied`, or the code of its failure)
 */
export async function administer<T extends AdminTarget>(
  call: AdminCall<T>,
  entry: DecisionEntry,
  stages: Stages,
): Promise<Administered<T>> {
  const caller = await authenticate(call, entry, stages);
  const target = await call.target(caller);
  const { operation, resource } = target;
  entry.action = operation;
  entry.resource = resource;
  entry.endStage('routing');
  const snapshot = stages.policy.current();
  entry.policy = { bundle: snapshot.bundle, revision: snapshot.revision };
  // What a person may administer is not handed on to software. It may ask for a grant, which somebody else approves.
  if (caller.agent !== undefined && operation !== 'grants.request') {
    entry.reasons = [{ code: 'agent_not_admitted', message: 'The admin API is not open to agents.' }];
    throw denied(entry.reasons, null);
  }
  const input: AdminInput = {
    action: { name: operation, properties: { changes: isChange(operation) } },
    context: {
      request: {
        client_ip: entry.request?.client_ip ?? null,
        method: entry.request?.method ?? '',
        route: entry.request?.route ?? '',
      },
      time: entry.timestamp,
    },
    resource,
    subject: caller.subject,
  };
  entry.input = input;
  const answer = snapshot.administer(input);
  entry.reasons = answer.reasons;
  entry.endStage('decision');
  if (!answer.allow) throw denied(answer.reasons, answer.step_up);
  return { target, caller, snapshot };
}
