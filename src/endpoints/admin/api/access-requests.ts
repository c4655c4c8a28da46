/**
 * Requests for access that answer a denial, in the terms of the Access Request and Approval Profile of OpenID AuthZEN (draft 1). A task is a
 * request for a grant; who approves it, and by what, is that of grants.
 */
import type { GrantChanges } from '../../../changes/grants.ts';
import { type Static, Type } from '../../../documents/kinds.ts';
import { SluiceError } from '../../../errors.ts';
import { type AdminServices, configured, type Done, type Operation, operation } from './operation.ts';
import { holderOf } from './grants.ts';
import { closed, enumOf, instant, moment, object, optional, text, timeOf } from './schemas.ts';

/** What a caller adds to the denied request: `request_schema_url` of a denial leads to it. */
const added = {
  context: Type.Object(
    { justification: Type.String({ minLength: 1, maxLength: 2_000, pattern: '\\S', description: 'why' }) },
    { description: 'other members are not looked at' },
  ),
  requested_access: optional(
    object({
      requested_until: optional(moment('how long; default: grants.duration from the approval')),
      max_uses: optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'how many requests' })),
      max_records: optional(
        Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          description: 'how many records at most in an answer',
        }),
      ),
    }),
  ),
};

export const accessRequestSchema = Type.Object(added, {
  title: 'What an access request adds to the denied request',
});

const submission = Type.Object(
  {
    ...added,
    denial: Type.Object({
      binding_token: optional(text('of the denial, unchanged', 16_384)),
      evaluation_id: optional(text('the decision; without a token, resource.id besides', 64)),
    }),
    callback: optional(
      object({
        endpoint: text('a URL of notices.callbacks; it is called when the request is decided', 2_000),
        state: optional(text('returned in the callback', 1_000)),
      }),
    ),
    subject: optional(Type.Object({ type: text('', 64), id: text('', 512) })),
    resource: optional(Type.Object({ type: text('', 256), id: optional(text('', 512)) })),
    action: optional(Type.Object({ name: text('', 256) })),
  },
  closed,
);

const STATUS = ['pending', 'approved', 'denied', 'cancelled'] as const;
const answer = object({
  task: object({
    id: Type.String(),
    status: enumOf(STATUS),
    status_endpoint: Type.String(),
    links: optional(object({ cancel: Type.String() })),
  }),
  result: optional(
    object({
      mode: Type.Literal('reevaluate', {
        description: 'send the request again; with Sluice-Grant: <approval.id> if the grant is limited',
      }),
      approval: object({
        id: Type.String({ description: 'the grant' }),
        approved_at: instant,
        approved_until: instant,
      }),
    }),
  ),
});

const grants = ({ grants: service }: AdminServices) => configured(service, 'the section grants');
const requests = ({ accessRequests: service }: AdminServices) =>
  configured(service, 'admin.url (and the section grants)');

/** how long a client waits before it asks again */
const RETRY_SECONDS = 5;

function taskOf(
  grant: ReturnType<GrantChanges['json']>,
  isCancelled: boolean,
  services: AdminServices,
): Pick<Done, 'body' | 'headers'> {
  const { id, state, from_at, until_at } = grant;
  const status: (typeof STATUS)[number] =
    state === 'requested'
      ? 'pending'
      : state === 'rejected'
        ? isCancelled
          ? 'cancelled'
          : 'denied'
        : 'approved';
  const { taskUrl, urlOf } = requests(services);
  const body: Static<typeof answer> = {
    task: {
      id,
      status,
      status_endpoint: taskUrl(id),
      ...(status === 'pending' ? { links: { cancel: urlOf(`/v1/grants/${id}/reject`) } } : {}),
    },
    ...(status === 'approved'
      ? { result: { mode: 'reevaluate', approval: { id, approved_at: from_at!, approved_until: until_at! } } }
      : {}),
  };
  return {
    body,
    headers: {
      ...(status === 'pending' ? { 'retry-after': String(RETRY_SECONDS) } : {}),
      location: taskUrl(id),
    },
  };
}

export const ACCESS_REQUESTS: readonly Operation[] = [
  operation({
    name: 'grants.request',
    operationId: 'access_requests.create',
    method: 'POST',
    path: '/v1/access-requests',
    summary:
      'Answer a denial: request the grant that would lift it; an identical request that is pending is returned',
    status: 202,
    body: submission,
    answer,
    codes: ['denial_binding_invalid', 'denial_expired', 'grant_invalid', 'grant_rule_missing'],
    holder: ({ caller }) => caller.id,
    async run({ body, caller, services, recorder, label }) {
      const service = grants(services);
      const bound = await requests(services).bound(body.denial, body, caller);
      label({ denial: bound.decision_id });
      const { requested_until, max_uses, max_records } = body.requested_access ?? {};
      const { callback } = body;
      const asked = {
        callback:
          callback === undefined
            ? null
            : {
                name: requests(services).callback(callback.endpoint),
                ...(callback.state === undefined ? {} : { state: callback.state }),
              },
        subject: caller.id,
        purpose: bound.purpose,
        resource: bound.resource,
        categories: bound.categories,
        ids: bound.ids,
        justification: body.context.justification,
        max_uses: max_uses ?? null,
        max_records: max_records ?? null,
        starts_at: null,
        duration: requested_until === undefined ? null : durationTo(requested_until, services),
      };
      const { grant } = await service.request(asked, recorder);
      return taskOf(service.json(grant), false, services);
    },
  }),
  operation({
    name: 'grants.show',
    operationId: 'access_requests.show',
    method: 'GET',
    path: '/v1/access-requests/{id}',
    summary: 'The task of an access request: pending, or how it was decided',
    parameters: { id: 'id of the task' },
    id: 'id',
    answer,
    codes: ['grant_not_found'],
    holder: holderOf,
    async run({ path, services }) {
      const service = grants(services);
      const { grant, events } = await service.show(path['id']!);
      const ended = events.findLast(({ what }) => what === 'rejected');
      return taskOf(service.json(grant), ended?.who === grant.requested_by, services);
    },
  }),
];

/** To the minute, so that the same request that is sent again is an identical one. */
function durationTo(until: string, { now }: AdminServices): number {
  const duration =
    Math.ceil((timeOf(until, 'requested_access/requested_until') - now().getTime()) / 60_000) * 60_000;
  if (!(duration > 0)) throw new SluiceError('grant_invalid', 'requested_until is over already.');
  return duration;
}
