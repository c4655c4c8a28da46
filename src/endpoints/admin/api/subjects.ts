/** Access of callers: taken away, given back, and what was done with it. */
import { revocationJson, reviewJson } from '../../../changes/spelled.ts';
import { type Static, Type } from '../../../documents/kinds.ts';
import { SluiceError } from '../../../errors.ts';
import { type AdminServices, configured, type Operation, operation } from './operation.ts';
import { page } from './paging.ts';
import { review } from './reviews.ts';
import {
  cursor,
  enumOf,
  instant,
  limit,
  moment,
  nextCursor,
  nullable,
  object,
  optional,
  reason,
  text,
  timeOf,
} from './schemas.ts';

const revocation = object({
  id: Type.String(),
  kind: enumOf(['subject', 'jti', 'sha256']),
  name: Type.String(),
  issuer: nullable(Type.String()),
  issued_before: nullable(instant),
  starts_at: nullable(instant),
  ends_at: nullable(instant),
  reason: Type.String(),
  revoked_at: instant,
  revoked_by: Type.String(),
  restored_at: nullable(instant),
  restored_by: nullable(Type.String()),
  restored_reason: nullable(Type.String()),
});

const target = {
  subject: optional(text('every credential of this caller, by `subject.id`', 512)),
  jti: optional(text('instead of a caller: one token, by its id', 512)),
  sha256: optional(text('instead of a caller: one token, API key or certificate, by its digest', 128)),
};
const targetSchema = object(target);

const revocations = ({ revocations: service }: AdminServices) =>
  configured(service, 'identity.revocations_in_store: true');

function targetOf(body: Static<typeof targetSchema>) {
  const [first, ...more] = (['subject', 'jti', 'sha256'] as const).flatMap((kind) => {
    const name = body[kind];
    return name === undefined ? [] : [{ kind, name }];
  });
  if (first === undefined || more.length > 0)
    throw new SluiceError('input_invalid', 'Name one of: subject, jti, sha256.');
  return first;
}

export const SUBJECTS: readonly Operation[] = [
  operation({
    name: 'subjects.list',
    method: 'GET',
    path: '/v1/revocations',
    summary: 'What is revoked in the store, the newest first',
    query: object({
      state: optional(enumOf(['current', 'all'], 'default: current')),
      limit,
      cursor,
    }),
    answer: object({ revocations: Type.Array(revocation), cursor: nextCursor }),
    codes: [],
    async run({ query, services }) {
      const { state = 'current' } = query;
      const { items, cursor: next } = await page(
        query,
        (most, after) =>
          revocations(services).list({ state, limit: most, ...(after === undefined ? {} : { after }) }),
        ({ revoked_at, id }) => ({ at: revoked_at, id }),
      );
      return { body: { revocations: items.map(revocationJson), cursor: next } };
    },
  }),
  operation({
    name: 'subjects.revoke',
    method: 'POST',
    path: '/v1/revocations',
    summary: 'Refuse every credential of a caller, or one credential, from now on',
    status: 201,
    body: object({
      ...target,
      reason,
      issuer: optional(text('only credentials of this issuer (for an API key: `api-key:<id>`)', 512)),
      issued_before: optional(moment('only credentials issued before')),
      starts_at: optional(moment('not yet: from then on')),
      ends_at: optional(moment('ends by itself')),
    }),
    answer: revocation,
    codes: [],
    async run({ body, services, recorder }) {
      const { reason: why, issuer, issued_before, starts_at, ends_at } = body;
      const terms = {
        ...(issuer === undefined ? {} : { issuer }),
        ...(issued_before === undefined ? {} : { issued_before: timeOf(issued_before, 'issued_before') }),
        ...(starts_at === undefined ? {} : { starts_at: timeOf(starts_at, 'starts_at') }),
        ...(ends_at === undefined ? {} : { ends_at: timeOf(ends_at, 'ends_at') }),
      };
      return {
        body: revocationJson(await revocations(services).revoke(targetOf(body), terms, why, recorder)),
      };
    },
  }),
  operation({
    name: 'subjects.restore',
    method: 'POST',
    path: '/v1/revocations/restore',
    summary: 'End every revocation of a caller, or of one credential, in the store',
    body: object({ ...target, reason }),
    answer: object({ revocations: Type.Array(revocation) }),
    codes: ['revocation_not_found'],
    async run({ body, services, recorder }) {
      const ended = await revocations(services).restore(targetOf(body), body.reason, recorder);
      return { body: { revocations: ended.map(revocationJson) } };
    },
  }),
  operation({
    name: 'subjects.history',
    method: 'GET',
    path: '/v1/subjects/{id}/history',
    summary: 'Revocations, reviews and decisions of a caller, the newest first',
    parameters: { id: '`subject.id` of the caller' },
    query: object({ limit, cursor: optional(text('`cursor` of the page before: of the decisions')) }),
    answer: object({
      subject: Type.String(),
      revocations: Type.Array(revocation),
      reviews: Type.Array(review),
      decisions: Type.Array(Type.Object({}, { description: 'decision, without values' })),
      cursor: nextCursor,
    }),
    codes: [],
    holder: ({ path }) => path['id'],
    async run({ path, query, services }) {
      const id = path['id']!;
      const { limit: most = 50, cursor: from } = query;
      const found = await services.history.of(id, {
        limit: most,
        ...(from === undefined ? {} : { cursor: from }),
      });
      return {
        body: {
          subject: id,
          revocations: found.revocations.map(revocationJson),
          reviews: found.reviews.map(reviewJson),
          decisions: found.decisions,
          cursor: found.cursor,
        },
      };
    },
  }),
];
