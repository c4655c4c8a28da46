/** One entry of a data subject that does not come from a file: of a store or of a service. */
import { compiledCheck } from '../documents/kinds.ts';
import { type Alias, aliasKey } from '../model/consent.ts';
import { endOf, startOf } from '../model/moment.ts';
import { type ConsentEntry, type ConsentsDocument, entrySchema, type StoredConsent } from './schema.ts';

const isSound = compiledCheck(entrySchema);

/** Null: it cannot be trusted. */
export function entryOf(value: unknown): ConsentEntry | null {
  if (!isSound(value)) return null;
  const entry = value as ConsentEntry;
  for (const consent of entry.consents ?? []) for (const _ of contradictionsOf(consent)) return null;
  return entry;
}

/** What somebody is taken to have said whose entry cannot be trusted: an unknown status withholds all their records. */
export const UNREADABLE: ConsentEntry = Object.freeze({
  // The schema knows no such status; `states.ts` reads any other than given and withdrawn as unknown.
  consents: [
    { purpose: '*', categories: ['*'], recipient: '*', status: 'unknown' } as unknown as StoredConsent,
  ],
});

/** What is wrong with a consent that fits the schema: its author cannot have wanted it. */
export function* contradictionsOf({
  status,
  purpose,
  recipient,
  from,
  until,
  at,
}: StoredConsent): Generator<{ readonly key: string; readonly message: string }> {
  if (status === 'given' && purpose === '*')
    yield { key: 'purpose', message: 'a consent names its purpose: "*" can only be refused' };
  if (status === 'given' && recipient === '*')
    yield { key: 'recipient', message: 'a consent names its recipient: "*" can only be refused' };
  for (const [key, moment] of Object.entries({ from, until, at }))
    if (moment !== undefined && Number.isNaN(startOf(moment)))
      yield { key, message: 'is no date of the calendar' };
  if (from !== undefined && until !== undefined && startOf(from) > endOf(until))
    yield { key: 'until', message: 'is before its from' };
}

/** Finds aliases of a document in memory. */
export function aliasesIn(
  aliases: ConsentsDocument['aliases'] = {},
): (values: readonly Alias[]) => ReadonlyMap<string, string> {
  const tables = new Map(Object.entries(aliases).map(([type, ids]) => [type, new Map(Object.entries(ids))]));
  return (values) => {
    const found = new Map<string, string>();
    for (const value of values) {
      const id = tables.get(value.type)?.get(value.text);
      if (id !== undefined) found.set(aliasKey(value), id);
    }
    return found;
  };
}
