/**
 * Withholds records, and resources embedded in them, that are outside what the decision limits the request to: its `record_filter`, whose every
 * condition their attributes must meet, and the data subject with whom the caller has proven to deal. An attribute that is missing, has another
 * type or cannot be read meets no condition; a record that names nobody is nobody's.
 */
import type { DisclosurePlan } from '../../model/disclosure.ts';
import { type FilterCondition, type RecordFilter, resourcesOf } from '../../model/record-filter.ts';
import type { RecordScope } from '../formats/format.ts';
import { idOf } from '../subjects/spelling.ts';
import { parseDate } from '../treatments/generalize/dates.ts';
import type { Verdict } from './verdicts.ts';

type Attributes = RecordScope['attributes'];
type Value = Attributes[string];

const OUTSIDE: readonly string[] = ['outside_record_filter'];
const UNREADABLE: readonly string[] = ['record_filter_unreadable'];
const UNPROVEN: readonly string[] = ['subject_unverified'];

export class Filtered {
  readonly #conditions = new Map<string, FilterCondition[]>();
  readonly #proven: string | null;
  /** resources of the records that must be the proven data subject's */
  readonly #own: ReadonlySet<string>;
  /** other caches are keyed by the verdict object, so equal records must get the same one */
  readonly #withheld = new WeakMap<Verdict, Map<readonly string[], Verdict>>();

  constructor({ filter = null, provenSubject = null, catalog, catalogs }: DisclosurePlan) {
    for (const condition of filter ?? []) {
      const known = this.#conditions.get(condition.resource);
      if (known === undefined) this.#conditions.set(condition.resource, [condition]);
      else known.push(condition);
    }
    this.#proven = provenSubject;
    this.#own = resourcesOf(catalog.resource, catalogs);
  }

  /** The verdict on a scope about these data subjects and with these attributes, which is withheld if it is outside. */
  verdictOn(verdict: Verdict, subjects: readonly string[], attributes: Attributes): Verdict {
    if (verdict.withheld !== null) return verdict;
    const { resource } = verdict.catalog;
    if (this.#proven !== null && this.#own.has(resource) && !isOnly(this.#proven, subjects))
      return this.#withholding(verdict, UNPROVEN);
    const conditions = this.#conditions.get(resource);
    const codes = conditions === undefined ? null : codesOf(conditions, attributes);
    return codes === null ? verdict : this.#withholding(verdict, codes);
  }

  #withholding(verdict: Verdict, withheld: readonly string[]): Verdict {
    let known = this.#withheld.get(verdict);
    if (known === undefined) {
      known = new Map();
      this.#withheld.set(verdict, known);
    }
    let filtered = known.get(withheld);
    if (filtered === undefined) {
      filtered = { ...verdict, withheld };
      known.set(withheld, filtered);
    }
    return filtered;
  }
}

const isOnly = (id: string, subjects: readonly string[]): boolean =>
  subjects.length > 0 && subjects.every((subject) => subject === id);

/** Reason codes for which a record, or one embedded in it, is withheld; null: it is within the filter. */
export const outsideOf = (
  filter: RecordFilter,
  resource: string,
  attributes: Attributes,
): readonly string[] | null =>
  codesOf(
    filter.filter((condition) => condition.resource === resource),
    attributes,
  );

/** Null: all conditions hold. */
function codesOf(conditions: readonly FilterCondition[], attributes: Attributes): readonly string[] | null {
  let isOutside = false;
  for (const condition of conditions) {
    const value = attributeIn(attributes, condition.attribute);
    const holds = value === null ? null : holdsFor(condition, value);
    if (holds === null) return UNREADABLE;
    isOutside ||= !holds;
  }
  return isOutside ? OUTSIDE : null;
}

const attributeIn = (attributes: Attributes, name: string): Value =>
  Object.hasOwn(attributes, name) ? attributes[name]! : null;

/** The day that an attribute names, `YYYYMMDD` as a number; null: it is missing, or cannot be read. */
export function dayIn(
  attributes: Attributes,
  date: Pick<FilterCondition, 'attribute' | 'offset' | 'order'>,
): number | null {
  const value = attributeIn(attributes, date.attribute);
  return value === null ? null : dayOf(value, date);
}

/** Null: the value cannot be compared. */
function holdsFor(condition: FilterCondition, value: NonNullable<Value>): boolean | null {
  const { in: values, at_least, at_most } = condition;
  // A column of fixed width is padded, and a table has texts only.
  if (values !== null) return values.includes(typeof value === 'string' ? idOf(value) : String(value));
  const isNumeric = typeof (at_least ?? at_most) === 'number';
  const at = isNumeric ? numberOf(value) : dayOf(value, condition);
  if (at === null) return null;
  return (at_least === null || at >= bound(at_least)) && (at_most === null || at <= bound(at_most));
}

export const bound = (value: string | number): number =>
  typeof value === 'number' ? value : Number(value.replaceAll('-', ''));

const DECIMAL = /^-?\d{1,15}(?:\.\d{1,9})?$/;

function numberOf(value: NonNullable<Value>): number | null {
  if (typeof value === 'number') return value;
  const text = typeof value === 'string' ? idOf(value) : '';
  return DECIMAL.test(text) ? Number(text) : null;
}

/** since 1970, in seconds or milliseconds, from 2001 on: fewer digits might be another spelling of a date */
const SECONDS = /^\d{10}(?:\.\d{1,9})?$/;
const MILLISECONDS = /^\d{13}$/;

/** The day that a value names, `YYYYMMDD` as a number; a time with a zone counts on the day that is written. */
function dayOf(
  value: NonNullable<Value>,
  { offset, order }: Pick<FilterCondition, 'offset' | 'order'>,
): number | null {
  if (typeof value === 'boolean') return null;
  const text = typeof value === 'number' ? String(value) : idOf(value);
  const unit = SECONDS.test(text) ? 'seconds' : MILLISECONDS.test(text) ? 'millis' : null;
  const isCounted = unit !== null || text.startsWith('/Date(');
  const date = parseDate(text, { order, epoch: isCounted ? { unit: unit ?? 'millis', offset } : null });
  if (date === null || date.month === null || date.day === null) return null;
  return date.year * 10_000 + date.month * 100 + date.day;
}
