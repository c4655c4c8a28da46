/** Query parameters by which an upstream finds the records that the policy's `record_filter` permits. */
import { defaulted, optional, section, type Static, table, Type } from '../../documents/kinds.ts';

const parameter = (description: string) => optional(Type.String({ minLength: 1, description }));

export const filterParamsSchema = table(
  section({
    at_least: parameter('query parameter for the earliest date or the lowest number'),
    at_most: parameter('the same for the latest date or the highest number'),
    in: parameter('the same for the permitted values'),
    separator: optional(
      Type.String({
        minLength: 1,
        maxLength: 4,
        description: 'between several values; without it only a single value is sent',
      }),
    ),
    format: defaulted(
      Type.Unsafe<'date' | 'compact' | 'datetime' | 'epoch' | 'epoch_ms'>(
        Type.Enum(['date', 'compact', 'datetime', 'epoch', 'epoch_ms'], {
          description:
            'spelling of dates: 2026-05-30, 20260530, 2026-05-30T00:00:00+08:00, or seconds or milliseconds since 1970',
        }),
      ),
      'date',
    ),
  }),
  {
    description:
      'attribute of the catalog → query parameters by which the upstream is asked only for records that the policy permits (`record_filter`)',
  },
);
export type FilterParamsConfig = Static<typeof filterParamsSchema>;
