/** How the upstream pages and selects records, so that neither reveals withheld records. */
import { defaulted, optional, pointer, section, type Static, table, Type } from '../../documents/kinds.ts';

export const pagingSchema = section(
  {
    limit: optional(
      Type.String({
        minLength: 1,
        description: 'query parameter, or pointer into the body (`/limit`): how many records a page has',
      }),
    ),
    offset: optional(
      Type.String({ minLength: 1, description: 'the same: how many records stand before the page' }),
    ),
    page: optional(Type.String({ minLength: 1, description: 'the same: the number of the page' })),
    first_page: defaulted(
      Type.Integer({ minimum: 0, maximum: 1, description: 'the number of the first page' }),
      1,
    ),
    size: optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description:
          'records of a page where the request does not say; without `limit`, the most that the upstream gives of a list',
      }),
    ),
    fetch: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description:
          'so many records of a narrowed list are asked for, and pages cut from those that are disclosed; not more than the upstream gives at once',
      }),
      1000,
    ),
    narrowed: defaulted(
      Type.Unsafe<'refill' | 'refuse' | 'pass'>(
        Type.Enum(['refill', 'refuse', 'pass'], {
          description:
            'a page of a list that the request narrows by a field: `refill` it from what follows, `refuse` it, or `pass` it with its gaps, which tell of withheld records',
        }),
      ),
      'refill',
    ),
  },
  { description: 'how the upstream cuts lists into pages' },
);
export type PagingConfig = Static<typeof pagingSchema>;

export const alwaysFetchSchema = section(
  {
    param: Type.String({
      minLength: 1,
      description: 'query parameter that lists the fields to return: `fields=id,name`, `fields[]=id`',
    }),
    separator: defaulted(Type.String({ minLength: 1, maxLength: 4 }), ','),
    fields: Type.Unsafe<Readonly<Record<string, string>>>(
      table(pointer(), {
        description:
          'name in the parameter → field: asked for with every selection, and left out of answers to those without it',
      }),
    ),
  },
  { description: 'what Sluice must see of a record, whatever fields the request selects: whose it is' },
);
