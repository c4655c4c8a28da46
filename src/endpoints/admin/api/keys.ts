/** API keys in the store. A key is in one answer, once: it is not stored, nor kept for a repetition of the call. */
import { keyJson } from '../../../changes/spelled.ts';
import { Type } from '../../../documents/kinds.ts';
import type { Given } from '../../../model/administration.ts';
import { type AdminServices, configured, type Done, type Operation, operation } from './operation.ts';
import { page } from './paging.ts';
import {
  cursor,
  enumOf,
  instant,
  limit,
  names,
  nextCursor,
  nullable,
  object,
  optional,
  reason,
  text,
} from './schemas.ts';

const DAY_SECONDS = 86_400;
const whose = object({
  id: text('`subject.id` in decision records', 256),
  type: enumOf(['service', 'partner', 'user']),
  organization: text('`internal`, or the partner it belongs to', 256),
  roles: names('roles'),
  department: optional(text('department', 256)),
  clearance: optional(Type.Integer({ minimum: 1, maximum: 5 })),
  purpose: optional(text('purpose if the request names none', 256)),
});
const members = {
  id: Type.String({ description: 'several have it while a rotation lasts' }),
  number: nullable(Type.Integer({ description: '1, 2, 3 … of those with this id' })),
  sha256: Type.String(),
  subject: Type.Object({}, { description: 'as in identity.api_keys' }),
  created_at: instant,
  created_by: Type.String(),
  expires_at: instant,
  revoked_at: nullable(instant),
  revoked_by: nullable(Type.String()),
  reason: nullable(Type.String()),
};
const key = object(members);
const made = object({
  key: nullable(
    Type.String({
      description: 'shown in this answer alone; null in the answer to a repetition of the call',
    }),
  ),
  ...members,
});
const lifetime = Type.Integer({ minimum: 60, maximum: 3650 * DAY_SECONDS, description: 'default: 90 days' });
const parameters = { id: 'name of the key' };

const apiKeys = ({ apiKeys: service }: AdminServices) =>
  configured(service, 'identity.api_keys_in_store: true');

const expiry = (seconds: number | undefined, { now }: AdminServices): number =>
  now().getTime() + (seconds ?? 90 * DAY_SECONDS) * 1_000;

interface GivenSubject {
  readonly id: string;
  readonly type: string;
  readonly organization: string;
  readonly roles: readonly string[];
  readonly clearance?: number | undefined;
}

const givenBy = (
  { id, type, organization, roles, clearance = undefined }: GivenSubject,
  end: number,
  { now }: AdminServices,
): Given => ({
  clearance: clearance ?? null,
  days: Math.round((end - now().getTime()) / 1_000) / DAY_SECONDS,
  organization,
  roles: [...roles].sort(),
  subject: id,
  subject_type: type,
});

const shown = ({
  key: secret,
  row,
}: {
  readonly key: string;
  readonly row: Parameters<typeof keyJson>[0];
}): Done => ({
  body: { key: secret, ...keyJson(row) },
  kept: { key: null, ...keyJson(row) },
});

export const KEYS: readonly Operation[] = [
  operation({
    name: 'keys.list',
    method: 'GET',
    path: '/v1/keys',
    summary: 'API keys in the store, the newest first',
    query: object({ limit, cursor }),
    answer: object({ keys: Type.Array(key), cursor: nextCursor }),
    codes: [],
    async run({ query, services }) {
      const { items, cursor: next } = await page(
        query,
        (most, after) => apiKeys(services).list(most, after),
        ({ created_at, sha256 }) => ({ at: created_at, id: sha256 }),
      );
      return { body: { keys: items.map(keyJson), cursor: next } };
    },
  }),
  operation({
    name: 'keys.create',
    method: 'POST',
    path: '/v1/keys',
    summary: 'Make a key; it cannot be shown again',
    status: 201,
    body: object({
      id: text('name of the key', 256),
      subject: whose,
      expires_in_seconds: optional(lifetime),
    }),
    answer: made,
    codes: ['api_key_taken'],
    gives: ({ body, services }) => givenBy(body.subject, expiry(body.expires_in_seconds, services), services),
    async run({ body, services, recorder }) {
      const end = expiry(body.expires_in_seconds, services);
      return shown(await apiKeys(services).create(body.id, defined(body.subject), end, recorder));
    },
  }),
  operation({
    name: 'keys.rotate',
    method: 'POST',
    path: '/v1/keys/{id}/rotate',
    summary: 'Make another key for the same subject; those before end after the overlap',
    parameters,
    status: 201,
    id: 'id',
    body: object({
      overlap_seconds: optional(
        Type.Integer({
          minimum: 0,
          maximum: 365 * DAY_SECONDS,
          description: 'how long those before stay valid; default: 7 days',
        }),
      ),
      expires_in_seconds: optional(lifetime),
    }),
    answer: made,
    codes: ['api_key_not_found'],
    // What the new key may do is what the one before may: whoever replaces it has it.
    async gives({ path, body, services }) {
      const newest = await services.apiKeys?.newest(path['id']!);
      if (!newest) return undefined;
      return givenBy(
        JSON.parse(newest.subject) as GivenSubject,
        expiry(body.expires_in_seconds, services),
        services,
      );
    },
    async run({ path, body, services, recorder }) {
      const overlap = (body.overlap_seconds ?? 7 * DAY_SECONDS) * 1_000;
      const end = expiry(body.expires_in_seconds, services);
      return shown(await apiKeys(services).rotate(path['id']!, end, overlap, recorder));
    },
  }),
  operation({
    name: 'keys.revoke',
    method: 'POST',
    path: '/v1/keys/{id}/revoke',
    summary: 'End every key of this name at once',
    parameters,
    id: 'id',
    body: object({ reason }),
    answer: object({ keys: Type.Array(key) }),
    codes: ['api_key_not_found'],
    async run({ path, body, services, recorder }) {
      const revoked = await apiKeys(services).revoke(path['id']!, body.reason, recorder);
      return { body: { keys: revoked.map(keyJson) } };
    },
  }),
];

/** Without the members that are absent. */
const defined = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
