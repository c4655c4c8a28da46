/** Consents in memory, for tests, scenarios and the demonstration. A change takes effect immediately. */
import type { ConsentSource, DataSubjectState } from '../model/consent.ts';
import { aliasesIn } from './entry.ts';
import type { ConsentEntry, ConsentsDocument } from './schema.ts';
import { createStates, type Prepared } from './states.ts';

export interface StaticConsents extends ConsentSource {
  /** replaces a data subject's entry */
  set(id: string, entry: ConsentEntry): void;
  /** withdraws the consents to a purpose, for one recipient if it is named */
  withdraw(id: string, purpose: string, recipient?: string): void;
  forget(id: string): void;
}

export function createStaticConsents(
  initial: Readonly<Record<string, ConsentEntry>> = {},
  options: { readonly exposeDates?: boolean; readonly aliases?: ConsentsDocument['aliases'] } = {},
): StaticConsents {
  const states = createStates(() => options.exposeDates ?? false);
  const given = new Map(Object.entries(initial));
  const entries = new Map<string, Prepared>();
  for (const [id, entry] of given) entries.set(id, states.prepare(entry));

  const set = (id: string, entry: ConsentEntry): void => {
    given.set(id, entry);
    entries.set(id, states.prepare(entry));
  };

  return {
    set,
    withdraw(id, purpose, recipient) {
      const entry = given.get(id);
      if (!entry) return;
      const consents = (entry.consents ?? []).map((c) =>
        c.purpose === purpose && (recipient === undefined || c.recipient === recipient)
          ? { ...c, status: 'withdrawn' as const }
          : c,
      );
      set(id, { ...entry, consents });
    },
    forget(id) {
      given.delete(id);
      entries.delete(id);
    },
    aliases: aliasesIn(options.aliases),
    lookup: (ids, at) => {
      const found = new Map<string, DataSubjectState>();
      for (const id of ids) {
        const entry = entries.get(id);
        if (entry) found.set(id, states.resolve(entry, at.getTime()));
      }
      return found;
    },
    ready: () => Promise.resolve({ ok: true }),
    close: () => Promise.resolve(),
  };
}
