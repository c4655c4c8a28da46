/**
 * Recipients outside: what they have received (shares), what they have to confirm (demands), and what they have to be told (notices). A partner
 * may do some of it itself: the policy sees whose demand or notice it is about.
 */
import { demandJson, noticeJson } from '../../../changes/spelled.ts';
import { Type } from '../../../documents/kinds.ts';
import { NOTICE_TYPES } from '../../../model/notice.ts';
import { HOW } from '../../../model/share.ts';
import { about, type AdminServices, type Asked, type Operation, operation } from './operation.ts';
import { page } from './paging.ts';
import { cursor, enumOf, instant, limit, nextCursor, nullable, object, optional, text } from './schemas.ts';

const demand = object({
  id: Type.String(),
  recipient: Type.String(),
  opened_at: instant,
  due_at: instant,
  shares: Type.Integer({ description: 'number of decisions' }),
  first_at: instant,
  last_at: instant,
  confirmed_at: nullable(instant),
  confirmed_by: nullable(Type.String()),
  how: nullable(enumOf(HOW)),
  note: nullable(Type.String()),
});

const noticeMembers = {
  id: Type.String(),
  recipient: nullable(Type.String({ description: 'null: the operators' })),
  type: enumOf(NOTICE_TYPES),
  state: enumOf(['waiting', 'delivered', 'failed', 'unsent', 'acknowledged']),
  created_at: instant,
  attempts: Type.Integer(),
  next_at: nullable(instant),
  retry_until: instant,
  delivered_at: nullable(instant),
  last_error: nullable(Type.String()),
  acknowledged_at: nullable(instant),
  acknowledged_by: nullable(Type.String()),
  note: nullable(Type.String()),
};
/** Of one that was changed, without what it says: that may name a data subject. */
const notice = object(noticeMembers);
const listed = object({
  ...noticeMembers,
  data: nullable(
    Type.Object({}, { description: 'what is said (docs/recipients.md); null once it is acknowledged' }),
  ),
});

const filters = object({
  state: optional(enumOf(['open', 'all'], 'default: open')),
  recipient: optional(text('only of this one; a partner names itself', 256)),
  limit,
  cursor,
});
const note = (description: string) => object({ note: optional(text(description, 2_000)) });
const ofNotice = { id: 'id of the notice' };
type Row = Parameters<typeof noticeJson>[0];
const spelled = (row: Row, { recipients: { notices } }: AdminServices) =>
  noticeJson(row, notices.stateOf(row));
const unsaid = (row: Row, services: AdminServices): object => {
  const { data: _, ...rest } = spelled(row, services);
  return rest;
};
const noticeRecipient = async ({ path, services }: Asked): Promise<string | undefined> =>
  (await services.recipients.notices.recipientOf(path['id']!)) ?? undefined;

export const RECIPIENTS: readonly Operation[] = [
  operation({
    name: 'shares.list',
    method: 'GET',
    path: '/v1/recipients',
    summary: 'Each recipient, with the number of decisions whose data it has received, and of open demands',
    answer: object({
      recipients: Type.Array(
        object({
          recipient: Type.String(),
          current: Type.Integer({ description: 'decisions that it has not been asked about' }),
          open: Type.Integer({ description: 'demands' }),
          overdue: Type.Integer(),
        }),
      ),
    }),
    codes: ['shares_unconfigured'],
    async run({ services }) {
      const found = await services.recipients.recipients();
      return {
        body: {
          recipients: found.map(({ recipient, current, open, overdue }) => ({
            recipient,
            current: Number(current),
            open: Number(open),
            overdue: Number(overdue),
          })),
        },
      };
    },
  }),
  operation({
    name: 'shares.demands',
    method: 'GET',
    path: '/v1/demands',
    summary: 'Expired data of which a recipient has to say what became of it, the oldest first',
    query: filters,
    answer: object({ demands: Type.Array(demand), cursor: nextCursor }),
    codes: ['shares_unconfigured'],
    recipient: ({ query }) => query.recipient,
    async run({ query, services }) {
      const { state = 'open', recipient } = query;
      const { items, cursor: next } = await page(
        query,
        (most, after) =>
          services.recipients.demands({
            open: state === 'open',
            limit: most,
            ...(recipient === undefined ? {} : { recipient }),
            ...(after === undefined ? {} : { after }),
          }),
        ({ opened_at, id }) => ({ at: opened_at, id }),
      );
      return { body: { demands: items.map(demandJson), cursor: next } };
    },
  }),
  operation({
    name: 'shares.confirm',
    method: 'POST',
    path: '/v1/demands/{id}/confirm',
    summary: 'The recipient says what became of the data',
    parameters: { id: 'id of the demand' },
    id: 'id',
    body: object({ how: enumOf(HOW), note: optional(text('where the proof is kept', 2_000)) }),
    answer: demand,
    codes: ['shares_unconfigured', 'demand_not_found', 'demand_confirmed'],
    recipient: ({ path, services }) => services.recipients.recipientOf(path['id']!),
    async run({ path, body, services, recorder }) {
      const { how, note: where = null } = body;
      return { body: demandJson(await services.recipients.confirm(path['id']!, how, where, recorder)) };
    },
  }),
  operation({
    name: 'notices.list',
    method: 'GET',
    path: '/v1/notices',
    summary: 'What recipients and operators have to be told, the oldest first',
    query: filters,
    answer: object({ notices: Type.Array(listed), cursor: nextCursor }),
    codes: [],
    recipient: ({ query }) => query.recipient,
    async run({ query, services }) {
      const { state = 'open', recipient } = query;
      const { items, cursor: next } = await page(
        query,
        (most, after) =>
          services.recipients.notices.list({
            open: state === 'open',
            limit: most,
            ...(recipient === undefined ? {} : { recipient }),
            ...(after === undefined ? {} : { after }),
          }),
        ({ created_at, id }) => ({ at: created_at, id }),
      );
      const notices = items.map((row) => spelled(row, services));
      const people = notices.flatMap(({ data }) => {
        const id = data?.['data_subject'];
        return typeof id === 'string' ? [id] : [];
      });
      return { body: { notices, cursor: next }, disclosure: about(people, services) };
    },
  }),
  operation({
    name: 'notices.acknowledge',
    method: 'POST',
    path: '/v1/notices/{id}/acknowledge',
    summary: 'The recipient knows',
    parameters: ofNotice,
    id: 'id',
    body: note('how it was told'),
    answer: notice,
    codes: ['notice_not_found', 'notice_acknowledged'],
    recipient: noticeRecipient,
    async run({ path, body, services, recorder }) {
      const { acknowledge } = services.recipients.notices;
      return { body: unsaid(await acknowledge(path['id']!, body.note ?? null, recorder), services) };
    },
  }),
  operation({
    name: 'notices.retry',
    method: 'POST',
    path: '/v1/notices/{id}/retry',
    summary: 'Deliver a notice again',
    parameters: ofNotice,
    id: 'id',
    answer: notice,
    codes: ['notice_not_found', 'notice_acknowledged', 'notice_unsendable'],
    recipient: noticeRecipient,
    async run({ path, services, recorder }) {
      return { body: unsaid(await services.recipients.notices.retry(path['id']!, recorder), services) };
    },
  }),
];
