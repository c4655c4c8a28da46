/** What is left of the caller's own quotas. */
import { Type } from '../../../documents/kinds.ts';
import { type Operation, operation } from './operation.ts';
import { object, text } from './schemas.ts';

export const QUOTAS: readonly Operation[] = [
  operation({
    name: 'quotas.get',
    method: 'GET',
    path: '/v1/quotas',
    summary: 'What is left of the quotas that the caller’s requests for a purpose count in',
    query: object({ purpose: text('purpose of the requests', 256) }),
    answer: object({
      quotas: Type.Record(
        Type.String(),
        object({
          limit: Type.Integer(),
          used: Type.Integer(),
          remaining: Type.Integer({ description: 'neither used nor reserved by requests under way' }),
          exact: Type.Boolean({ description: 'false: `used` is an estimate of distinct data subjects' }),
        }),
      ),
    }),
    codes: ['quota_unavailable'],
    holder: ({ caller }) => caller.id,
    async run({ query, caller, snapshot, services }) {
      const quotas = await services.quotas.remaining({
        data: snapshot.data,
        subject: caller,
        purpose: query.purpose,
      });
      return { body: { quotas } };
    },
  }),
];
