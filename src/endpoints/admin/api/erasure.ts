/** Requests of data subjects: for erasure, restriction of processing, and access. The deletion itself is `sluice erasure run`. */
import { requestEventJson, requestJson } from '../../../changes/spelled.ts';
import { Type } from '../../../documents/kinds.ts';
import { REQUEST_KINDS, REQUEST_STATES } from '../../../model/erasure.ts';
import { about, type AdminServices, configured, type Done, type Operation, operation } from './operation.ts';
import { page } from './paging.ts';
import {
  cursor,
  dataSubject,
  enumOf,
  instant,
  limit,
  nextCursor,
  nullable,
  object,
  optional,
  reason,
  text,
} from './schemas.ts';

const LISTED = ['open', 'overdue', 'closed', 'all'] as const;

const members = {
  id: Type.String(),
  kind: enumOf(REQUEST_KINDS),
  data_subject: Type.String(),
  state: enumOf(REQUEST_STATES),
  requested_at: instant,
  requested_by: Type.String(),
  due_at: instant,
  is_overdue: Type.Boolean(),
  note: nullable(Type.String()),
  holds: Type.Array(object({ category: Type.String(), basis: Type.String(), until: Type.String() }), {
    description: 'categories that the law demands to keep',
  }),
  confirmations: Type.Array(object({ upstream: Type.String(), status: Type.Integer(), at: instant }), {
    description: 'upstreams that have confirmed the deletion',
  }),
  closed_at: nullable(instant),
  closed_by: nullable(Type.String()),
  evidence: nullable(Type.String()),
  reason: nullable(Type.String()),
};
const request = object(members);
const shown = object({
  ...members,
  events: Type.Array(
    object({
      request_id: Type.String(),
      number: Type.Integer(),
      at: instant,
      who: Type.String(),
      what: Type.String(),
      note: nullable(Type.String()),
      decision_id: nullable(Type.String()),
    }),
  ),
});

const erasure = ({ erasure: service }: AdminServices) => configured(service, 'the section erasure');
const parameters = { id: 'id of the request' };
const category = text('a category of the policy', 64);
const optionalNote = optional(text('what was checked', 2_000));

type Row = Parameters<typeof requestJson>[0];
const spelled = (row: Row, services: AdminServices) => requestJson(row, erasure(services).isOverdue(row));
const done = (row: Row, services: AdminServices): Done => ({ body: spelled(row, services) });

const ofRequest = (step: string) =>
  ({
    method: 'POST',
    path: `/v1/erasure-requests/{id}/${step}`,
    parameters,
    id: 'id',
    answer: request,
  }) as const;
const CODES = ['erasure_not_found', 'erasure_closed', 'erasure_invalid'] as const;

export const ERASURE: readonly Operation[] = [
  operation({
    name: 'erasure.list',
    method: 'GET',
    path: '/v1/erasure-requests',
    summary: 'Requests of customers, the oldest first',
    query: object({
      state: optional(enumOf(LISTED, 'default: open')),
      kind: optional(enumOf(REQUEST_KINDS)),
      data_subject: optional(text('only of this person', 256)),
      limit,
      cursor,
    }),
    answer: object({ requests: Type.Array(request), cursor: nextCursor }),
    codes: [],
    async run({ query, services }) {
      const { state = 'open', kind, data_subject } = query;
      const { items, cursor: next } = await page(
        query,
        (most, after) =>
          erasure(services).list({
            state,
            limit: most,
            ...(kind === undefined ? {} : { kind }),
            ...(data_subject === undefined ? {} : { data_subject }),
            ...(after === undefined ? {} : { after }),
          }),
        ({ requested_at, id }) => ({ at: requested_at, id }),
      );
      return {
        body: { requests: items.map((row) => spelled(row, services)), cursor: next },
        disclosure: about(
          items.map((row) => row.data_subject),
          services,
        ),
      };
    },
  }),
  operation({
    name: 'erasure.show',
    method: 'GET',
    path: '/v1/erasure-requests/{id}',
    summary: 'A request, and everything that happened to it',
    parameters,
    id: 'id',
    answer: shown,
    codes: ['erasure_not_found'],
    async run({ path, services }) {
      const { request: row, events } = await erasure(services).show(path['id']!);
      return {
        body: { ...spelled(row, services), events: events.map(requestEventJson) },
        disclosure: about([row.data_subject], services),
      };
    },
  }),
  operation({
    name: 'erasure.request',
    method: 'POST',
    path: '/v1/erasure-requests',
    summary: 'Open a request; from now on nothing of this person is disclosed but what the policy excepts',
    status: 201,
    otherwise: 200,
    body: object({
      data_subject: dataSubject,
      kind: optional(enumOf(REQUEST_KINDS, 'default: erasure')),
      note: optional(text('how it was asked for: letter, phone, form', 2_000)),
    }),
    answer: request,
    codes: ['erasure_invalid'],
    async run({ body, services, recorder }) {
      const { data_subject, kind = 'erasure', note = null } = body;
      const { request: row, isNew } = await erasure(services).request({ kind, data_subject, note }, recorder);
      return isNew
        ? done(row, services)
        : { ...done(row, services), status: 200, disclosure: about([data_subject], services) };
    },
  }),
  operation({
    ...ofRequest('accept'),
    name: 'erasure.accept',
    summary: 'Somebody has checked who asks and what must be kept, and takes it on',
    body: object({ note: optionalNote }),
    codes: CODES,
    async run({ path, body, services, recorder }) {
      return done(await erasure(services).accept(path['id']!, body.note ?? null, recorder), services);
    },
  }),
  operation({
    ...ofRequest('hold'),
    name: 'erasure.hold',
    summary: 'Keep a category that the law demands',
    body: object({
      category,
      basis: text('the law or the proceedings', 2_000),
      until: text('the last day on which it is kept, or a moment', 64),
    }),
    codes: CODES,
    async run({ path, body, services, recorder }) {
      return done(await erasure(services).hold(path['id']!, body, recorder), services);
    },
  }),
  operation({
    ...ofRequest('release'),
    name: 'erasure.release',
    summary: 'End a hold',
    body: object({ category, note: reason }),
    codes: CODES,
    async run({ path, body, services, recorder }) {
      return done(await erasure(services).release(path['id']!, body.category, body.note, recorder), services);
    },
  }),
  operation({
    ...ofRequest('complete'),
    name: 'erasure.complete',
    summary: 'A person confirms that it is done; a restriction ends',
    body: object({ evidence: text('where the proof is kept: a ticket, a protocol of the deletion', 2_000) }),
    codes: CODES,
    async run({ path, body, services, recorder }) {
      return done(await erasure(services).complete(path['id']!, body.evidence, recorder), services);
    },
  }),
  operation({
    ...ofRequest('reject'),
    name: 'erasure.reject',
    summary: 'The request is not granted: the disclosure goes on',
    body: object({ reason }),
    codes: CODES,
    async run({ path, body, services, recorder }) {
      return done(await erasure(services).reject(path['id']!, body.reason, recorder), services);
    },
  }),
  operation({
    ...ofRequest('lift'),
    name: 'erasure.lift',
    summary: 'The person of a completed erasure is a customer again; consents start empty',
    body: object({
      reason,
      consents_removed: optional(
        Type.Boolean({
          description: 'where consents are not in the store: those from before have been removed',
        }),
      ),
    }),
    codes: CODES,
    async run({ path, body, services, recorder }) {
      const { reason: why, consents_removed: removed = false } = body;
      return done(await erasure(services).lift(path['id']!, why, removed, recorder), services);
    },
  }),
];
