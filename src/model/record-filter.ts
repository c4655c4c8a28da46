/**
 * Which records a purpose may have at all: the obligation `record_filter`. The policy states conditions on attributes of records relative to the
 * request (the last six months, the caller's own regions), so that its answers can be cached; here they become dates and values.
 */
import type { Reason } from './answers.ts';
import type { Catalog } from './catalog.ts';
import type { PolicyInput } from './input.ts';
import { isPeriod, startOf, startOfPeriod } from './moment.ts';

export type Comparable = string | number | boolean;

/** One condition of an answer: exactly one of `in`, `within`, or `at_least` and `at_most`. */
export interface RecordCondition {
  /** it holds for each record of this resource, also for those that stand within others */
  readonly resource: string;
  /** of the catalog's `attributes` */
  readonly attribute: string;
  /** the values themselves, or the property of the subject that holds them */
  readonly in?: readonly Comparable[] | { readonly subject: string };
  /** ISO 8601 duration of years, months, weeks and days before the request: `P6M` */
  readonly within?: string;
  /** a number, or a date: `2026-05-30` */
  readonly at_least?: string | number;
  readonly at_most?: string | number;
  /** distance from UTC of the days that are counted: `+08:00`; absent: UTC */
  readonly offset?: string;
  /** of a record's dates such as 03/07/2026; absent: those that are ambiguous are none */
  readonly order?: 'dmy' | 'mdy';
}

/** A condition as it holds for one request. */
export interface FilterCondition {
  readonly resource: string;
  readonly attribute: string;
  /** texts of the permitted values; null: a range */
  readonly in: readonly string[] | null;
  /** numbers, or dates `YYYY-MM-DD`; null: no bound */
  readonly at_least: string | number | null;
  readonly at_most: string | number | null;
  /** minutes */
  readonly offset: number;
  readonly order: 'dmy' | 'mdy' | null;
}

export type RecordFilter = readonly FilterCondition[];

const MEMBERS = ['resource', 'attribute', 'in', 'within', 'at_least', 'at_most', 'offset', 'order'];
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const OFFSET = /^([+-])(0\d|1[0-4]):([0-5]\d)$/;
/** a longer list would be no limit, and makes long requests */
const MOST_VALUES = 1000;

type Members = { readonly [name: string]: unknown };

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isComparable = (value: unknown): value is Comparable =>
  (typeof value === 'string' && value !== '') ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  typeof value === 'boolean';
const isDate = (value: unknown): value is string =>
  typeof value === 'string' && DATE.test(value) && !Number.isNaN(startOf(value));
const isBound = (value: unknown): value is string | number =>
  (typeof value === 'number' && Number.isFinite(value)) || isDate(value);

/** Whether an obligation `record_filter` can be read. A list without conditions would limit nothing, so it is refused. */
export const isRecordFilter = (value: unknown): value is readonly RecordCondition[] =>
  Array.isArray(value) && value.length > 0 && value.every(isCondition);

function isCondition(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).some((name) => !MEMBERS.includes(name))) return false;
  const { resource, attribute, in: values, within, at_least, at_most, offset, order } = value;
  if (!isName(resource) || !isName(attribute)) return false;
  if (offset !== undefined && (typeof offset !== 'string' || !OFFSET.test(offset))) return false;
  if (order !== undefined && order !== 'dmy' && order !== 'mdy') return false;
  const isRange = at_least !== undefined || at_most !== undefined;
  if (Number(values !== undefined) + Number(within !== undefined) + Number(isRange) !== 1) return false;
  if (values !== undefined) return offset === undefined && order === undefined && areValues(values);
  if (within !== undefined) return typeof within === 'string' && isPeriod(within);
  if (at_least !== undefined && !isBound(at_least)) return false;
  if (at_most !== undefined && !isBound(at_most)) return false;
  if (at_least === undefined || at_most === undefined) return true;
  return typeof at_least === typeof at_most;
}

const areValues = (values: unknown): boolean =>
  Array.isArray(values)
    ? values.length > 0 && values.length <= MOST_VALUES && values.every(isComparable)
    : isObject(values) && Object.keys(values).join() === 'subject' && isName(values['subject']);

/**
 * The conditions as they hold for one request.
 * @returns the reason to deny, where a condition cannot be applied: nobody may read this as no condition
 */
export function resolvedFilter(
  conditions: readonly RecordCondition[],
  { context, subject, resource: { type } }: Pick<PolicyInput, 'context' | 'resource' | 'subject'>,
  catalogs: ReadonlyMap<string, Catalog>,
): RecordFilter | Reason {
  const own = resourcesOf(type, catalogs);
  const filter: FilterCondition[] = [];
  for (const { resource, attribute, in: values, within, at_least, at_most, offset, order } of conditions) {
    const catalog = catalogs.get(resource);
    if (catalog === undefined || !Object.hasOwn(catalog.attributes, attribute))
      return undetermined(`the catalog of ${resource} has no attribute ${attribute}`);
    const minutes = offset === undefined ? 0 : minutesOf(offset);
    const range = within === undefined ? { at_least, at_most } : rangeOf(within, context.time, minutes);
    const found = values === undefined ? null : textsOf(values, subject.properties);
    // Of another resource nothing is disclosed; the request itself is about something else.
    if (found?.length === 0 && own.has(resource))
      return undetermined(
        `they depend on the caller's property ${(values as { readonly subject: string }).subject}, which the caller has not`,
      );
    filter.push({
      resource,
      attribute,
      in: found,
      at_least: range.at_least ?? null,
      at_most: range.at_most ?? null,
      offset: minutes,
      order: order ?? null,
    });
  }
  return filter;
}

/** The resources that records of a request may be. */
export const resourcesOf = (type: string, catalogs: ReadonlyMap<string, Catalog>): ReadonlySet<string> =>
  new Set([type, ...Object.values(catalogs.get(type)?.variants?.of ?? {})]);

const undetermined = (why: string): Reason => ({
  code: 'record_filter_undetermined',
  message: `Which records may be disclosed cannot be determined: ${why}.`,
});

/** Empty: the property is missing, or is no list of values. */
function textsOf(
  values: NonNullable<RecordCondition['in']>,
  properties: { readonly [name: string]: unknown },
): readonly string[] {
  if (!('subject' in values)) return values.map(String);
  const held = Object.hasOwn(properties, values.subject) ? properties[values.subject] : undefined;
  const list: readonly unknown[] = Array.isArray(held) ? held : [held];
  return list.length <= MOST_VALUES && list.every(isComparable) ? list.map(String) : [];
}

function minutesOf(offset: string): number {
  const [, sign, hours, minutes] = OFFSET.exec(offset)!;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

const DAY = 86_400_000;
const dayOf = (milliseconds: number): string => {
  const at = new Date(milliseconds);
  return Number.isNaN(at.getTime()) || at.getUTCFullYear() < 1000
    ? '1000-01-01'
    : at.toISOString().slice(0, 10);
};

/**
 * From so long before the request until the day after it: a clock or a time zone may be a day ahead, and a date such as 9999-12-31, which
 * stands for none in many systems, is not within the last months.
 */
function rangeOf(
  within: string,
  time: string,
  offset: number,
): { readonly at_least: string; readonly at_most: string } {
  const now = startOf(time) + offset * 60_000;
  return {
    at_least: dayOf(startOfPeriod(within, now)),
    at_most: dayOf(now + DAY),
  };
}

/** In words, for the decision record. */
export const filterText = (filter: RecordFilter): string =>
  filter
    .map(({ resource, attribute, in: values, at_least, at_most }) => {
      const range = [
        ...(at_least === null ? [] : [`at least ${at_least}`]),
        ...(at_most === null ? [] : [`at most ${at_most}`]),
      ];
      return `${resource}: ${attribute} ${values === null ? range.join(', ') : `one of ${values.join(', ')}`}`;
    })
    .join('; ');
