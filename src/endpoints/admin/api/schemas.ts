/** Parts that several operations have in common. */
import { type TSchema, Type } from '../../../documents/kinds.ts';
import { SluiceError } from '../../../errors.ts';
import { startOf } from '../../../model/moment.ts';

export const closed = { additionalProperties: false } as const;
export const object = <P extends Record<string, TSchema>>(
  members: P,
  options: { description?: string } = {},
) => Type.Object(members, { ...closed, ...options });
export const text = (description: string, most = 1_000) =>
  Type.String({ minLength: 1, maxLength: most, description });
/** The id of a data subject. In the body, and not in the path: access logs have paths. */
export const dataSubject = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: '^\\S([\\s\\S]*\\S)?$',
  description: 'id of the customer, as records have it',
});
export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
export const moment = (description: string) =>
  Type.String({
    // RFC 3339, as the commands take it
    pattern: '^\\d{4}-\\d\\d-\\d\\d([Tt]\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?([Zz]|[+-]\\d\\d:\\d\\d))?$',
    description: `${description}: a date, or RFC 3339`,
  });

/**
 * Milliseconds of a member that has the schema `moment`. A database would take one that does not exist for none.
 * @throws SluiceError `input_invalid`
 */
export function timeOf(text: string, member: string): number {
  const time = startOf(text);
  if (Number.isNaN(time))
    throw new SluiceError(
      'input_invalid',
      `The body: /${member} is no date or time of the calendar: write 2026-12-31 or 2026-12-31T08:00:00Z.`,
    );
  return time;
}
export const instant = Type.String({ format: 'date-time' });
export const optional = Type.Optional;
export const names = (description: string, most = 64) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: most, description });
/** at least one name */
export const named = (description: string) => ({ ...names(description), minItems: 1 });
export const enumOf = <const T extends readonly string[]>(values: T, description = '') =>
  Type.Unsafe<T[number]>({
    type: 'string',
    enum: [...values],
    ...(description === '' ? {} : { description }),
  });

export const limit = optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'default: 100' }));
export const cursor = optional(Type.String({ maxLength: 1_000, description: '`cursor` of the page before' }));
export const nextCursor = nullable(Type.String({ description: 'null: this is the last page' }));
export const reason = Type.String({ minLength: 1, maxLength: 2_000, pattern: '\\S', description: 'why' });
