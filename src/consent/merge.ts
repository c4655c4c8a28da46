/**
 * Adds a statement of a data subject to what is known. For each purpose, recipient and category the newest statement counts, and one about `*`
 * replaces every older one for its purpose and recipient. The result is the same in whatever order statements arrive, and however often: an
 * old file that is imported once more changes nothing.
 */
import { endOf, startOf } from '../model/moment.ts';
import type { ConsentEntry, StoredConsent } from './schema.ts';

/**
 * @param isSaidNow it counts as newest, also where a refusal that is known has no moment
 * @returns null: the statement changes nothing, since it is known, or older than what is known
 */
export function merged(
  entry: ConsentEntry,
  statement: StoredConsent,
  isSaidNow = false,
): ConsentEntry | null {
  const { consents = [] } = entry;
  const timeOf = (consent: StoredConsent): number =>
    isSaidNow && consent !== statement && consent.at === undefined
      ? Number.NEGATIVE_INFINITY
      : momentOf(consent);
  const isOlder = (a: StoredConsent, b: StoredConsent): boolean => timeOf(a) < timeOf(b);
  /** Of two statements of the same moment the refusal counts; else any fixed order will do. */
  const beats = (a: StoredConsent, b: StoredConsent): boolean => {
    const [x, y] = [timeOf(a), timeOf(b)];
    if (x !== y) return x > y;
    if (a.status !== b.status) return a.status === 'withdrawn';
    return textOf(a) > textOf(b);
  };
  const same = consents.filter((c) => c.purpose === statement.purpose && c.recipient === statement.recipient);
  const counting = statement.categories.filter(
    (category) =>
      !same.some(
        (known) =>
          !beats(statement, known) &&
          (known.categories.includes(category) ||
            (isOlder(statement, known) && known.categories.includes('*'))),
      ),
  );
  if (counting.length === 0) return null;
  const isAll = counting.includes('*');
  const kept = consents.flatMap((known) => {
    if (!same.includes(known)) return [known];
    const categories = known.categories.filter(
      (category) => !counting.includes(category) && !(isAll && isOlder(known, statement)),
    );
    return categories.length === 0 ? [] : [{ ...known, categories }];
  });
  // Parts of one statement that were separated by a newer one belong together.
  const alike = kept.find((known) => textOf(known) === textOf(statement));
  const categories = [...new Set([...(alike?.categories ?? []), ...counting])].sort();
  return { ...entry, consents: [...kept.filter((known) => known !== alike), { ...statement, categories }] };
}

/**
 * The moment for which a statement counts, in milliseconds since 1970. Where it may have been any of several (a day without a time, no moment at
 * all, as in what was written by hand), a refusal counts as late as possible and a consent as early: which of them came first is not known.
 */
export function momentOf({ at, status }: Pick<StoredConsent, 'at' | 'status'>): number {
  if (status === 'withdrawn') return at === undefined ? Number.POSITIVE_INFINITY : endOf(at);
  return at === undefined ? Number.NEGATIVE_INFINITY : startOf(at);
}

/** Everything but the categories, in a fixed order. */
const textOf = ({ id, purpose, recipient, status, explicit, from, until, at }: StoredConsent): string =>
  JSON.stringify([id, purpose, recipient, status, explicit, from, until, at]);
