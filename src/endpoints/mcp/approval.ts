/**
 * Approval in the loop: a denied call that a grant could lift is requested at once, in the name of its caller, who has said why. It is a call of the
 * admin API (`POST /v1/access-requests`) in all but its way in: permitted by `sluice/admin`, and recorded by itself.
 */
import type { GrantChanges } from '../../changes/grants.ts';
import type { AccessRequestService } from '../../changes/access-requests.ts';
import { callRecorder } from '../../changes/recorder.ts';
import type { AccessRequestTask } from '../../model/access-request.ts';
import type { ProxyRequest, Reply } from '../../model/exchange.ts';
import { administer } from '../../pipeline/administer.ts';
import { handle } from '../../pipeline/handle.ts';
import { openEntry } from '../../pipeline/record.ts';
import type { Stages } from '../../pipeline/stages.ts';

export interface Approvals {
  readonly grants: Pick<GrantChanges, 'request' | 'json'>;
  readonly requests: Pick<AccessRequestService, 'bound' | 'taskUrl'>;
}

const PATH = '/v1/access-requests';

/** @returns null: the policy does not permit the request, or it could not be made; its own record says why */
export async function requested(
  { headers, peer }: Pick<ProxyRequest, 'headers' | 'peer'>,
  token: string,
  justification: string,
  { grants, requests }: Approvals,
  stages: Stages,
): Promise<AccessRequestTask | null> {
  const route = { client_ip: peer.ip, method: 'POST', path: PATH, route: `POST ${PATH}` };
  const entry = openEntry(stages, route, headers);
  entry.kind = 'admin';
  entry.errorFormat = 'problem';
  let task: AccessRequestTask | null = null;
  const inner = { method: 'POST', target: PATH, headers: {}, hasBody: false };
  await handle(inner, unheard(), entry, stages, async () => {
    const { caller } = await administer(
      {
        headers,
        peer,
        target: ({ subject }) => ({
          operation: 'grants.request',
          resource: { properties: { holder: subject.id }, type: 'grants' },
        }),
      },
      entry,
      stages,
    );
    const bound = await requests.bound({ binding_token: token }, {}, caller.subject);
    entry.labels = { ...entry.labels, denial: bound.decision_id };
    const { purpose, resource, categories, ids } = bound;
    const { grant } = await grants.request(
      {
        callback: null,
        subject: caller.subject.id,
        purpose,
        resource,
        categories,
        ids,
        justification,
        max_uses: null,
        max_records: null,
        starts_at: null,
        duration: null,
      },
      callRecorder(entry, caller.subject, 202, stages),
    );
    const { id, state } = grants.json(grant);
    task = {
      id,
      status: state === 'requested' ? 'pending' : 'approved',
      status_endpoint: requests.taskUrl(id),
    };
  });
  return task;
}

/** The refusal of the request is told to nobody: the call has one of its own. */
const unheard = (): Reply => ({
  started: false,
  send: () => undefined,
  start: () => undefined,
  write: async () => undefined,
  end: () => undefined,
  abort: () => undefined,
});
