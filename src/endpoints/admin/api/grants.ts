/** Access beyond the standing rules. Requester and approver are always the caller: no body names them. */
import { grantEventJson } from '../../../changes/spelled.ts';
import { Type } from '../../../documents/kinds.ts';
import { isSluiceError } from '../../../errors.ts';
import { NOTHING_DISCLOSED } from '../../../model/record.ts';
import { type AdminServices, type Asked, configured, type Operation, operation } from './operation.ts';
import { page } from './paging.ts';
import {
  cursor,
  enumOf,
  instant,
  limit,
  moment,
  named,
  nextCursor,
  nullable,
  object,
  optional,
  reason,
  text,
  timeOf,
} from './schemas.ts';

const STATES = ['open', 'requested', 'active', 'archived', 'all'] as const;
const DAY_SECONDS = 86_400;

const members = {
  id: Type.String(),
  kind: enumOf(['request', 'break_glass']),
  state: enumOf(['requested', 'active', 'planned', 'used_up', 'rejected', 'revoked', 'expired']),
  subject: Type.String({ description: 'who uses it' }),
  requested_by: Type.String(),
  requested_at: instant,
  purpose: Type.String(),
  tier: nullable(Type.Integer()),
  grade: Type.Integer({ description: 'the highest grade that it opens' }),
  resource: nullable(Type.String()),
  categories: Type.Array(Type.String()),
  justification: Type.String(),
  max_uses: nullable(Type.Integer()),
  uses: Type.Integer(),
  max_records: nullable(Type.Integer()),
  starts_at: nullable(instant),
  duration_seconds: Type.Number(),
  from_at: nullable(instant),
  until_at: nullable(instant),
  approved_by: Type.Array(Type.String()),
};
const grant = object({ ...members, ids: nullable(Type.Array(Type.String())) });
const listed = object({ ...members, ids: nullable(Type.Integer({ description: 'how many; null: any' })) });
const event = object({
  grant_id: Type.String(),
  number: Type.Integer(),
  at: instant,
  who: Type.String(),
  what: Type.String(),
  note: nullable(Type.String()),
  decision_id: nullable(Type.String()),
});

const scope = {
  subject: optional(text('who will use it; default: the caller', 256)),
  purpose: text('only for this purpose', 256),
  // An empty list would be read as any: a caller whose selection is empty would ask for everything.
  ids: optional(named('only these records, by the ids that their paths have; absent: any')),
  max_uses: optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'how many requests' })),
  max_records: optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'how many records at most in an answer' }),
  ),
};

const grants = ({ grants: service }: AdminServices) => configured(service, 'the section grants');
const parameters = { id: 'id of the grant' };

/** Nobody learns by being refused whether there is a grant of somebody else. */
export async function holderOf({ path, services, caller }: Asked): Promise<string | undefined> {
  if (services.grants === null) return undefined;
  try {
    const { grant } = await services.grants.show(path['id']!);
    return grant.requested_by === caller.id ? caller.id : grant.subject;
  } catch (e) {
    if (isSluiceError(e, 'grant_not_found')) return undefined;
    throw e;
  }
}

const ended = (what: 'approve' | 'reject' | 'revoke', summary: string, own: boolean): Operation =>
  operation({
    name: `grants.${what}`,
    method: 'POST',
    path: `/v1/grants/{id}/${what}`,
    summary,
    parameters,
    id: 'id',
    body: object({ note: optional(reason) }),
    answer: grant,
    codes: [
      'grant_not_found',
      what === 'revoke' ? 'grant_not_active' : 'grant_not_pending',
      'grant_approver_unauthorized',
      ...(what === 'approve' ? (['grant_self_approval', 'grant_rule_missing'] as const) : []),
    ],
    ...(own ? { holder: holderOf } : {}),
    async run({ path, body, services, recorder }) {
      const service = grants(services);
      return { body: service.json(await service[what](path['id']!, body.note ?? null, recorder)) };
    },
  });

export const GRANTS: readonly Operation[] = [
  operation({
    name: 'grants.request',
    method: 'POST',
    path: '/v1/grants',
    summary: 'Request access; an identical request that is pending is returned instead (200)',
    status: 201,
    otherwise: 200,
    body: object({
      ...scope,
      resource: text('only of this type', 256),
      categories: named('categories of the catalog, or `*`'),
      justification: reason,
      duration_seconds: optional(
        Type.Integer({
          minimum: 60,
          maximum: 3650 * DAY_SECONDS,
          description: 'from the approval or the start',
        }),
      ),
      starts_at: optional(moment('not before')),
    }),
    answer: grant,
    codes: ['grant_invalid', 'grant_rule_missing', 'grants_unconfigured'],
    holder: ({ body, caller }) => body.subject ?? caller.id,
    async run({ body, caller, services, recorder }) {
      const service = grants(services);
      const { duration_seconds, starts_at } = body;
      const asked = {
        subject: body.subject ?? caller.id,
        purpose: body.purpose,
        resource: body.resource,
        categories: body.categories,
        ids: body.ids ?? [],
        justification: body.justification,
        max_uses: body.max_uses ?? null,
        max_records: body.max_records ?? null,
        starts_at: starts_at === undefined ? null : timeOf(starts_at, 'starts_at'),
        duration: duration_seconds === undefined ? null : duration_seconds * 1_000,
      };
      const { grant: made, isNew } = await service.request(asked, recorder);
      return { body: service.json(made), status: isNew ? 201 : 200 };
    },
  }),
  operation({
    name: 'grants.break_glass',
    method: 'POST',
    path: '/v1/grants/break-glass',
    summary: 'Access at once without approval; somebody else must review it',
    status: 201,
    body: object({
      ...scope,
      resource: optional(text('only of this type', 256)),
      categories: optional(named('categories of the catalog; default: all')),
      reason,
    }),
    answer: grant,
    codes: ['grant_invalid', 'grants_unconfigured', 'break_glass_review_overdue'],
    holder: ({ body, caller }) => body.subject ?? caller.id,
    async run({ body, caller, services, recorder }) {
      const service = grants(services);
      const asked = {
        subject: body.subject ?? caller.id,
        purpose: body.purpose,
        resource: body.resource ?? null,
        categories: body.categories ?? ['*'],
        ids: body.ids ?? [],
        justification: body.reason,
        max_uses: body.max_uses ?? null,
        max_records: body.max_records ?? null,
        starts_at: null,
        duration: null,
      };
      return { body: service.json(await service.breakGlass(asked, recorder)) };
    },
  }),
  operation({
    name: 'grants.list',
    method: 'GET',
    path: '/v1/grants',
    summary: 'Grants, the oldest first, without ids of records',
    query: object({
      state: optional(enumOf(STATES, 'default: open')),
      subject: optional(text('only of this caller', 256)),
      limit,
      cursor,
    }),
    answer: object({ grants: Type.Array(listed), cursor: nextCursor }),
    codes: [],
    holder: ({ query }) => query.subject,
    async run({ query, services }) {
      const service = grants(services);
      const { state = 'open', subject } = query;
      const { items, cursor: next } = await page(
        query,
        (most, after) =>
          service.list({
            state,
            limit: most,
            ...(subject === undefined ? {} : { subject }),
            ...(after === undefined ? {} : { after }),
          }),
        ({ requested_at, id }) => ({ at: requested_at, id }),
      );
      return { body: { grants: items.map((one) => service.listedJson(one)), cursor: next } };
    },
  }),
  operation({
    name: 'grants.show',
    method: 'GET',
    path: '/v1/grants/{id}',
    summary: 'One grant: its scope, its state, and everything that happened to it',
    parameters,
    id: 'id',
    answer: object({ ...members, ids: nullable(Type.Array(Type.String())), events: Type.Array(event) }),
    codes: ['grant_not_found'],
    holder: holderOf,
    async run({ path, services }) {
      const service = grants(services);
      const shown = await service.show(path['id']!);
      const { ids } = shown.grant;
      const data_subjects = ids === null ? [] : (JSON.parse(ids) as string[]).map(services.dataSubject);
      return {
        body: { ...service.json(shown.grant), events: shown.events.map(grantEventJson) },
        disclosure: { ...NOTHING_DISCLOSED, data_subjects },
      };
    },
  }),
  ended('approve', 'Approve a request; the last approval puts it in force', false),
  ended('reject', 'Reject a request, or withdraw one’s own', true),
  ended('revoke', 'End a grant now', true),
];
