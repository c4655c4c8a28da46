/** Decisions that somebody must look at afterwards. */
import { reviewJson } from '../../../changes/spelled.ts';
import { Type } from '../../../documents/kinds.ts';
import { type Operation, operation } from './operation.ts';
import { page } from './paging.ts';
import { cursor, enumOf, instant, limit, nextCursor, nullable, object, optional, text } from './schemas.ts';

const VERDICTS = ['justified', 'unjustified'] as const;
const STATES = ['open', 'overdue', 'closed', 'all'] as const;

export const review = object({
  decision_id: Type.String(),
  subject: Type.String({ description: 'whose decision it is' }),
  purpose: Type.String(),
  tier: nullable(Type.Integer()),
  recipient: Type.String(),
  action: Type.String(),
  resource: Type.String(),
  opened_at: instant,
  due_at: instant,
  closed_at: nullable(instant),
  closed_by: nullable(Type.String()),
  verdict: nullable(enumOf(VERDICTS)),
  note: nullable(Type.String()),
});

export const REVIEWS: readonly Operation[] = [
  operation({
    name: 'reviews.list',
    method: 'GET',
    path: '/v1/reviews',
    summary: 'Reviews, the oldest first',
    query: object({
      state: optional(enumOf(STATES, 'default: open')),
      subject: optional(text('only of this caller', 256)),
      limit,
      cursor,
    }),
    answer: object({ reviews: Type.Array(review), cursor: nextCursor }),
    codes: [],
    holder: ({ query }) => query.subject,
    async run({ query, services }) {
      const { state = 'open', subject } = query;
      const { items, cursor: next } = await page(
        query,
        (most, after) =>
          services.reviews.list({
            limit: most,
            ...(state === 'all' ? {} : { state }),
            ...(subject === undefined ? {} : { subject }),
            ...(after === undefined ? {} : { after }),
          }),
        ({ opened_at, decision_id }) => ({ at: opened_at, id: decision_id }),
      );
      return { body: { reviews: items.map(reviewJson), cursor: next } };
    },
  }),
  operation({
    name: 'reviews.close',
    method: 'POST',
    path: '/v1/reviews/{decision_id}/close',
    summary: 'Say whether it was justified; nobody reviews what they did themselves',
    parameters: { decision_id: 'the decision that is reviewed' },
    id: 'decision_id',
    body: object({
      verdict: enumOf(VERDICTS),
      note: Type.String({ minLength: 1, maxLength: 2_000, pattern: '\\S', description: 'what was found' }),
    }),
    answer: review,
    codes: ['review_not_found', 'review_closed', 'review_of_own_decision'],
    async run({ path, body, services, recorder }) {
      const { verdict, note } = body;
      return {
        body: reviewJson(await services.reviews.close(path['decision_id']!, verdict, note, recorder)),
      };
    },
  }),
];
