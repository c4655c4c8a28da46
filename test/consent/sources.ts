/** Every source of consents, opened with the same entries, so that one contract is tested against all of them. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import {
  CONSENT_MIGRATIONS,
  type ConsentEntry,
  createConsentSource,
  createStaticConsents,
} from '../../src/consent/index.ts';
import type { ConsentSource } from '../../src/model/consent.ts';
import type { Database } from '../../src/model/database.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/store/migrations.ts';
import { ANNOUNCEMENT_MIGRATIONS } from '../../src/store/outbox.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';

export interface Given {
  readonly entries: Readonly<Record<string, unknown>>;
  readonly aliases?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface Opened {
  readonly source: ConsentSource;
  /** replaces everything, and resolves when the next look-up has to see it */
  replace(given: Given): Promise<void>;
  /** makes the source unable to answer */
  breakIt(): Promise<void>;
  close(): Promise<void>;
}

export interface Opening {
  readonly given: Given;
  readonly exposeDates?: boolean;
}

export const SOURCES: Readonly<Record<string, (opening: Opening) => Promise<Opened>>> = {
  static: async ({ given, exposeDates = false }) => {
    const source = createStaticConsents(given.entries as Record<string, ConsentEntry>, {
      exposeDates,
      aliases: given.aliases ?? {},
    });
    const ids = new Set(Object.keys(given.entries));
    return {
      source,
      replace: async ({ entries }) => {
        for (const id of ids) source.forget(id);
        for (const [id, entry] of Object.entries(entries)) source.set(id, entry as ConsentEntry);
      },
      breakIt: () => Promise.reject(new Error('nothing can break')),
      close: () => source.close(),
    };
  },

  file: async ({ given, exposeDates = false }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-consents-'));
    const file = join(dir, 'consents.yaml');
    const write = (text: string): void => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    const textOf = ({ entries, aliases }: Given): string =>
      JSON.stringify({ version: 1, data_subjects: entries, ...(aliases === undefined ? {} : { aliases }) });
    write(textOf(given));
    const source = await createConsentSource(
      { file, ...SETTINGS, expose_dates: exposeDates },
      { clock: systemClock, logger: silentLogger },
    );
    return {
      source,
      replace: async (other) => {
        write(textOf(other));
        source.refresh?.();
      },
      breakIt: async () => {
        write('{');
        // A writer that is not done has a moment to go on.
        await vi.waitFor(async () => {
          source.refresh?.();
          expect((await source.ready()).ok).toBe(false);
        }, 20_000);
      },
      close: async () => {
        await source.close();
        rmSync(dir, { recursive: true });
      },
    };
  },

  sqlite: async (opening) => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-consents-'));
    const database = openSqlite(join(dir, 'store.db'));
    return stored(database, opening, async () => rmSync(dir, { recursive: true }));
  },

  postgres: async (opening) => {
    const { schema, drop } = await freshSchema('consents');
    return stored(openPostgres(POSTGRES, { schema }), opening, drop);
  },

  http: (opening) => service(opening),
};

async function service({ given, exposeDates = false }: Opening): Promise<Opened> {
  let { entries } = given;
  let isBroken = false;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { data_subjects } = JSON.parse(Buffer.concat(chunks).toString()) as { data_subjects: string[] };
    const found = data_subjects.flatMap((id) =>
      Object.hasOwn(entries, id) ? [[id, entries[id]] as const] : [],
    );
    response.statusCode = isBroken ? 500 : 200;
    response.end(JSON.stringify({ data_subjects: Object.fromEntries(found) }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const source = await createConsentSource(
    {
      http: {
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/consents`,
        timeout: 30_000,
        max_answer: 1_000_000,
        headers: {},
      },
      ...SETTINGS,
      cache: { ttl: 0, entries: 0 },
      expose_dates: exposeDates,
    },
    { clock: systemClock, logger: silentLogger },
  );
  return {
    source,
    replace: async (other) => {
      entries = other.entries;
    },
    breakIt: async () => {
      isBroken = true;
    },
    close: async () => {
      await source.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

export const SETTINGS = {
  poll: 60_000,
  stale_if_error: 0,
  expose_dates: false,
  cache: { ttl: 30_000, entries: 1_000 },
} as const;

async function stored(
  database: Database,
  { given, exposeDates = false }: Opening,
  clean: () => Promise<void>,
): Promise<Opened> {
  await migrate(database, [...ANNOUNCEMENT_MIGRATIONS, ...CONSENT_MIGRATIONS], () => new Date());
  const put = async ({ entries, aliases = {} }: Given): Promise<void> => {
    await database.transaction(async ({ query }) => {
      await query('DELETE FROM consent_subjects');
      await query('DELETE FROM consent_aliases');
      for (const [id, entry] of Object.entries(entries))
        await query('INSERT INTO consent_subjects (data_subject, entry) VALUES ($1, $2)', [
          id,
          typeof entry === 'string' ? entry : JSON.stringify(entry),
        ]);
      for (const [type, ids] of Object.entries(aliases))
        for (const [alias, id] of Object.entries(ids))
          await query('INSERT INTO consent_aliases VALUES ($1, $2, $3)', [type, alias, id]);
    });
  };
  await put(given);
  const source = await createConsentSource(
    { store: true, ...SETTINGS, expose_dates: exposeDates },
    { clock: systemClock, logger: silentLogger },
    { database, announcements: null },
  );
  return {
    source,
    replace: put,
    breakIt: async () => {
      await database.write('ALTER TABLE consent_subjects RENAME TO elsewhere');
      await database.write('ALTER TABLE consent_aliases RENAME TO elsewhere_too');
    },
    close: async () => {
      await source.close();
      await database.close();
      await clean();
    },
  };
}
