/**
 * Changes of consents in the store. Each is one transaction: the entry of the data subject and the event, which says who did it and keeps the
 * consent record of ISO/IEC TS 27560. PostgreSQL announces it when it is in force.
 * They are in one file: all lock the same rows and write them in the same way.
 */
import { SluiceError } from '../errors.ts';
import type { Database, Queries, Row } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import { merged } from './merge.ts';
import type { ConsentEntry } from './schema.ts';
import {
  asNewest,
  checkEdit,
  type ConsentEvent,
  type ConsentRecord,
  type Edit,
  type Evidence,
  momentAfter,
  type Statement,
  type What,
} from './statement.ts';
import { insert } from './rows.ts';
import { parsed } from './store.ts';

export interface ConsentRecords {
  /**
   * @param journaled called with what will have changed, before it is in force; what it throws undoes the change
   * @returns what has changed; nothing for what was known already
   * @throws SluiceError `consent_invalid` with nothing changed; `store_unavailable`
   */
  edit(
    edits: readonly Edit[],
    actor: string,
    journaled?: Journaled<readonly ConsentEvent[]>,
  ): Promise<readonly ConsentEvent[]>;
  /**
   * Withdraws what was given, for one purpose and for one recipient if they are named.
   * @returns null: nobody is known by this id
   */
  withdraw(
    id: string,
    wanted: { readonly purpose?: string; readonly recipient?: string },
    evidence: Evidence,
    actor: string,
    journaled?: Journaled<readonly ConsentEvent[]>,
  ): Promise<{
    readonly events: readonly ConsentEvent[] /** not given before, so not withdrawn now */;
    readonly already: number;
  } | null>;
  /** Withdraws everything that was given, as a part of a lifted erasure, whose record tells of it. @throws SluiceError `consent_invalid` */
  empty(queries: Queries, id: string, actor: string): Promise<void>;
  /** undefined: nobody is known by this id; null: the entry cannot be trusted */
  entry(id: string): Promise<ConsentEntry | null | undefined>;
  aliases(id: string): Promise<readonly { readonly type: string; readonly alias: string }[]>;
  /** oldest first */
  history(id: string): Promise<readonly ConsentEvent[]>;
}

interface EventRow extends Row {
  readonly data_subject: string;
  readonly version: number;
  readonly at: number;
  readonly actor: string;
  readonly what: string;
  readonly consent: string | null;
  readonly entry: string;
}

interface SubjectRow extends Row {
  readonly data_subject: string;
  readonly entry: string;
  readonly version: number;
}

export interface RecordsDependencies {
  readonly now: () => Date;
  /** the DPV term of a purpose, if the policy names one */
  readonly termOf?: (purpose: string) => string | undefined;
  /** Called inside the transaction of a change, before it is in force; what it throws undoes the change. */
  readonly changed?: (queries: Queries, change: ConsentChange) => Promise<void>;
}

export interface ConsentChange {
  readonly events: readonly ConsentEvent[];
  /** flags that were set, by data subject */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

export function createConsentRecords(
  database: Database,
  { now, termOf = () => undefined, changed }: RecordsDependencies,
): ConsentRecords {
  /** The rows of these people, which nobody else changes before the end of the transaction. */
  async function locked(
    queries: Queries,
    ids: readonly string[],
    creates: boolean,
  ): Promise<ReadonlyMap<string, SubjectRow>> {
    // In one order, so that two writers do not wait for each other. Without the row, two who add a person would both think that they are first.
    const sorted = [...new Set(ids)].sort();
    if (creates)
      await insert(
        queries,
        'consent_subjects (data_subject, entry)',
        sorted.map((id) => [id, '{}']),
        'ON CONFLICT DO NOTHING',
      );
    const rows = await queries.query<SubjectRow>(
      `SELECT data_subject, entry, version FROM consent_subjects WHERE data_subject = ANY($1) ORDER BY data_subject ${database.forUpdate}`,
      [sorted],
    );
    return new Map(rows.map((row) => [row.data_subject, row]));
  }

  /** Writes rows and events of what was edited. */
  async function write(queries: Queries, events: readonly ConsentEvent[]): Promise<void> {
    if (events.length === 0) return;
    const last = new Map(events.map((event) => [event.data_subject, event]));
    await insert(
      queries,
      'consent_subjects (data_subject, entry, version)',
      [...last.values()].map(({ data_subject, entry, version }) => [
        data_subject,
        JSON.stringify(entry),
        version,
      ]),
      'ON CONFLICT (data_subject) DO UPDATE SET entry = excluded.entry, version = excluded.version',
    );
    await insert(
      queries,
      'consent_events (data_subject, version, at, actor, what, consent, entry)',
      events.map((e) => [
        e.data_subject,
        e.version,
        Date.parse(e.at),
        e.actor,
        e.what,
        e.consent === null ? null : JSON.stringify(e.consent),
        JSON.stringify(e.entry),
      ]),
    );
  }

  const recordOf = (consent: Statement['consent'], evidence: Evidence): ConsentRecord => {
    const { id = '', purpose, categories, recipient, status, explicit = false, from, until, at } = consent;
    const term = termOf(purpose);
    return {
      record_id: id,
      purpose,
      ...(term === undefined ? {} : { purpose_term: term }),
      categories,
      recipient,
      status: status === 'given' ? 'dpv:ConsentGiven' : 'dpv:ConsentWithdrawn',
      explicit,
      at,
      ...(from === undefined ? {} : { from }),
      ...(until === undefined ? {} : { until }),
      ...evidence,
    };
  };

  const step = (
    row: { readonly data_subject: string; readonly version: number },
    actor: string,
    what: What,
    consent: ConsentRecord | null,
    entry: ConsentEntry,
  ): ConsentEvent => ({
    data_subject: row.data_subject,
    version: row.version + 1,
    at: now().toISOString(),
    actor,
    what,
    consent,
    entry,
  });

  async function edit(
    queries: Queries,
    edits: readonly Edit[],
    actor: string,
  ): Promise<readonly ConsentEvent[]> {
    const rows = await locked(
      queries,
      edits.map(({ data_subject }) => data_subject),
      true,
    );
    const listed = await newAliases(queries, edits);
    const events: ConsentEvent[] = [];
    const set = new Map<string, readonly string[]>();
    const current = new Map<string, { readonly entry: ConsentEntry; readonly version: number }>();
    for (const { data_subject, statements = [], addFlags = [], removeFlags = [], aliases = [] } of edits) {
      const row = rows.get(data_subject)!;
      let { entry, version } = current.get(data_subject) ?? { entry: trusted(row), version: row.version };
      const add = (what: What, consent: ConsentRecord | null, changed: ConsentEntry): void => {
        entry = changed;
        events.push(step({ data_subject, version }, actor, what, consent, entry));
        version++;
      };
      for (const { consent: stated, evidence, isSaidNow } of statements) {
        const consent = isSaidNow ? asNewest(stated, entry) : stated;
        const changed = merged(entry, consent, isSaidNow);
        if (changed !== null) add(consent.status, recordOf(consent, evidence), changed);
      }
      const flags = new Set(entry.flags ?? []);
      const before = flags.size;
      const added = addFlags.filter((flag) => !flags.has(flag));
      if (added.length > 0) set.set(data_subject, [...(set.get(data_subject) ?? []), ...added]);
      for (const flag of addFlags) flags.add(flag);
      const removed = removeFlags.filter((flag) => flags.delete(flag)).length;
      if (removed > 0 || flags.size !== before) add('flags', null, { ...entry, flags: [...flags].sort() });
      if (aliases.some((alias) => listed.has(`${alias.type}\n${alias.alias}`))) add('aliases', null, entry);
      current.set(data_subject, { entry, version });
    }
    await write(queries, events);
    if (events.length > 0) await changed?.(queries, { events, flags: set });
    return events;
  }

  /** Stores aliases that are not known. @throws SluiceError `consent_invalid` for one that names somebody else */
  async function newAliases(queries: Queries, edits: readonly Edit[]): Promise<ReadonlySet<string>> {
    const added = new Set<string>();
    for (const { data_subject, aliases = [] } of edits)
      for (const { type, alias } of aliases) {
        const [row] = await queries.query<{ data_subject: string }>(
          'INSERT INTO consent_aliases VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING data_subject',
          [type, alias, data_subject],
        );
        if (row !== undefined) {
          added.add(`${type}\n${alias}`);
          continue;
        }
        const [known] = await queries.query<{ data_subject: string }>(
          'SELECT data_subject FROM consent_aliases WHERE type = $1 AND alias = $2',
          [type, alias],
        );
        if (known?.data_subject !== data_subject)
          throw new SluiceError(
            'consent_invalid',
            `An alias of the type ${type} names somebody else already. An alias names one person: correct it, or remove the old one from consent_aliases.`,
          );
      }
    return added;
  }

  const withdraw = async (
    queries: Queries,
    id: string,
    { purpose, recipient }: { readonly purpose?: string; readonly recipient?: string },
    evidence: Evidence,
    actor: string,
  ): Promise<{ readonly events: readonly ConsentEvent[]; readonly already: number } | null> => {
    const row = (await locked(queries, [id], false)).get(id);
    if (row === undefined) return null;
    const entry = trusted(row);
    const { consents = [] } = entry;
    const concerned = consents.filter(
      (c) =>
        (purpose === undefined || c.purpose === purpose) &&
        (recipient === undefined || c.recipient === recipient),
    );
    const given = concerned.filter(({ status }) => status === 'given');
    // A clock that runs behind may not make a withdrawal older than the consent.
    const at = momentAfter(concerned, now());
    const after: ConsentEntry = {
      ...entry,
      consents: consents.map((c) => (given.includes(c) ? { ...c, status: 'withdrawn', at } : c)),
    };
    const events = given.map((consent, i) =>
      step(
        { data_subject: id, version: row.version + i },
        actor,
        'withdrawn',
        recordOf({ ...consent, status: 'withdrawn', at }, evidence),
        after,
      ),
    );
    await write(queries, events);
    if (events.length > 0) await changed?.(queries, { events, flags: new Map() });
    return { events, already: concerned.length - given.length };
  };

  return {
    async edit(edits, actor, journaled) {
      for (const each of edits) checkEdit(each);
      return database.transaction(async (queries) => {
        const events = await edit(queries, edits, actor);
        if (events.length > 0) await journaled?.(events, queries);
        return events;
      });
    },

    withdraw: (id, wanted, evidence, actor, journaled) =>
      database.transaction(async (queries) => {
        const withdrawn = await withdraw(queries, id, wanted, evidence, actor);
        if (withdrawn !== null && withdrawn.events.length > 0) await journaled?.(withdrawn.events, queries);
        return withdrawn;
      }),

    async empty(queries, id, actor) {
      await withdraw(queries, id, {}, { method: 'erasure lifted' }, actor);
    },

    async entry(id) {
      const [row] = await database.query<{ entry: string }>(
        'SELECT entry FROM consent_subjects WHERE data_subject = $1',
        [id],
      );
      return row === undefined ? undefined : parsed(row.entry);
    },

    aliases: (id) =>
      database.query<{ type: string; alias: string }>(
        'SELECT type, alias FROM consent_aliases WHERE data_subject = $1 ORDER BY type, alias',
        [id],
      ),

    async history(id) {
      const rows = await database.query<EventRow>(
        'SELECT * FROM consent_events WHERE data_subject = $1 ORDER BY version',
        [id],
      );
      return rows.map(({ data_subject, version, at, actor, what, consent, entry }) => ({
        data_subject,
        version,
        at: new Date(at).toISOString(),
        actor,
        what: what as What,
        consent: consent === null ? null : (JSON.parse(consent) as ConsentRecord),
        entry: parsed(entry),
      }));
    },
  };
}

/** @throws SluiceError `consent_invalid` */
function trusted({ entry }: SubjectRow): ConsentEntry {
  const read = parsed(entry);
  if (read !== null) return read;
  throw new SluiceError(
    'consent_invalid',
    'The entry of this data subject in the store cannot be read (consent_subjects.entry): what was refused in it is unknown. Correct it, or restore it from consent_events.',
  );
}
