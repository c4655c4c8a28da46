/** Section `erasure`: requests of data subjects, and where their data is deleted. */
import type { Report } from '../documents/faults.ts';
import { defaulted, duration, section, type Static, Type } from '../documents/kinds.ts';

const deletionSchema = section({
  upstream: Type.String({
    minLength: 1,
    description: 'one of `upstreams`; requested with the credential of that upstream',
  }),
  method: defaulted(Type.Enum(['DELETE', 'POST', 'PUT', 'PATCH']), 'DELETE'),
  path: Type.String({
    pattern: '^/[^{}]*\\{id\\}[^{}]*$',
    description: 'path and query; `{id}` is replaced by the id of the data subject, percent-encoded',
  }),
  absent: defaulted(
    Type.Array(Type.Enum([404, 410]), {
      uniqueItems: true,
      description:
        'statuses that say that there is nobody of this id, and confirm the deletion, too; add 404 where the upstream has this path for certain: a wrong path has the same status',
    }),
    [410],
  ),
});

export const erasureSchema = section(
  {
    due: defaulted(
      duration({
        min: '1d',
        max: '365d',
        description: 'how long a request may be open before it is overdue',
      }),
      '30d',
    ),
    deletions: defaulted(
      Type.Array(deletionSchema, {
        maxItems: 16,
        description:
          'requests that delete a person’s data, each confirmed by a status 200 to 299; none: a person deletes and confirms',
      }),
      [],
    ),
  },
  { description: 'requests of data subjects for erasure, restriction and access; absent: there are none' },
);

export type ErasureConfig = Static<typeof erasureSchema>;

/** Each upstream once: a confirmation is kept by its name. */
export function checkErasure({ deletions }: ErasureConfig, report: Report): void {
  for (const [i, { upstream }] of deletions.entries())
    if (deletions.findIndex((other) => other.upstream === upstream) !== i)
      report(['erasure', 'deletions', i, 'upstream'], 'has a deletion already');
}
