/** How the upstream pages and selects records, so that neither reveals withheld records. */
import { defaulted, optional, pointer, section, type Static, table, Type } from '../../documents/kinds.ts';

export const pagingSchema = section(
  {
    limit: optional(
      Type.String({
        minLength: 1,
        description:
          'query parameter, or pointer into the body (`/limit`), for the number of records of a page',
      }),
    ),
    offset: optional(
      Type.String({ minLength: 1, description: 'the same for the number of records before the page' }),
    ),
    page: optional(Type.String({ minLength: 1, description: 'the same for the page number' })),
    first_page: defaulted(
      Type.Integer({ minimum: 0, maximum: 1, description: 'number of the first page' }),
      1,
    ),
    size: optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description:
          'records of a page if the request does not state a number; without `limit`, the largest page of the upstream',
      }),
    ),
    fetch: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description:
          'number of records of a narrowed list that are requested at once; pages are made of the records that are disclosed. Not more than the largest page of the upstream',
      }),
      1000,
    ),
    narrowed: defaulted(
      Type.Unsafe<'refill' | 'refuse' | 'pass'>(
        Type.Enum(['refill', 'refuse', 'pass'], {
          description:
            'a page of a list that the request narrows by a field: `refill` fills it with the following records, `refuse` refuses the request, `pass` returns a shorter page, which reveals that records were withheld',
        }),
      ),
      'refill',
    ),
  },
  { description: 'how the upstream divides lists into pages' },
);
export type PagingConfig = Static<typeof pagingSchema>;

export const alwaysFetchSchema = section(
  {
    param: Type.String({
      minLength: 1,
      description: 'query parameter that lists the fields to return, as in `fields=id,name` or `fields[]=id`',
    }),
    separator: defaulted(Type.String({ minLength: 1, maxLength: 4 }), ','),
    fields: Type.Unsafe<Readonly<Record<string, string>>>(
      table(pointer(), {
        description:
          'name in the parameter → field; requested with every selection, and removed from the answer if the caller did not select it',
      }),
    ),
  },
  {
    description:
      'fields that Sluice needs of each record, e.g. the data subject, whichever fields the request selects',
  },
);
