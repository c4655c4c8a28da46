/**
 * Class: bytes written to a file that its name leads to no more. Root cause: the journal kept writing to an open descriptor, and looked
 * once a second whether the directory still named that file; what was acknowledged in between was nowhere to be found.
 */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import type { Journal } from '../../src/decision-log/journal/journal.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal, temporaryDirectory } from '../support/journals.ts';

interface Files {
  readonly dir: string;
  readonly segment: string;
  readonly head: string;
  readonly lock: string;
}

/**
 * What somebody does to the files of a journal in use, and what `verify` must say of it afterwards. A head or a lock may be away already:
 * the journal makes it anew at its next look.
 */
const DONE: Readonly<Record<string, { readonly to: (files: Files) => void; readonly intact: boolean }>> = {
  'its segment is removed': { to: ({ segment }) => rmSync(segment), intact: false },
  'its segment is moved away': {
    to: ({ segment }) => renameSync(segment, `${segment}.moved`),
    intact: false,
  },
  'its segment is replaced by a copy of the same bytes': {
    to: ({ segment }) => {
      cpSync(segment, `${segment}.copy`);
      renameSync(`${segment}.copy`, segment);
    },
    intact: true,
  },
  'its segment is emptied': { to: ({ segment }) => truncateSync(segment, 0), intact: false },
  'somebody else writes to its segment': {
    to: ({ segment }) => appendFileSync(segment, 'not a record\n'),
    intact: false,
  },
  'its directory is removed': {
    // The journal may make files in it meanwhile.
    to: ({ dir }) => rmSync(dir, { recursive: true, maxRetries: 10, retryDelay: 1 }),
    intact: false,
  },
  'its directory is moved away': { to: ({ dir }) => renameSync(dir, `${dir}.moved`), intact: false },
  'its directory is replaced by an empty one': {
    to: ({ dir }) => {
      renameSync(dir, `${dir}.moved`);
      mkdirSync(dir);
    },
    intact: false,
  },
  'its directory is replaced by a copy': {
    to: ({ dir }) => {
      cpSync(dir, `${dir}.copy`, { recursive: true });
      renameSync(dir, `${dir}.moved`);
      renameSync(`${dir}.copy`, dir);
    },
    intact: true,
  },
  'its head is removed': { to: ({ head }) => rmSync(head, { force: true }), intact: true },
  'its lock is removed': { to: ({ lock }) => rmSync(lock, { force: true }), intact: true },
};

const filesOf = (dir: string, journal: Journal): Files => ({
  dir,
  segment: join(
    dir,
    readdirSync(dir)
      .filter((f) => f.startsWith(journal.origin) && f.endsWith('.jsonl'))
      .sort()
      .at(-1)!,
  ),
  head: join(dir, `${journal.origin}.head`),
  lock: join(dir, `${journal.origin}.lock`),
});

const stands = (dir: string, hash: string): boolean =>
  readdirSync(dir, { withFileTypes: true }).some(
    (f) => f.isFile() && f.name.endsWith('.jsonl') && readFileSync(join(dir, f.name), 'utf8').includes(hash),
  );

function directory(): string {
  const dir = join(temporaryDirectory(), 'journal');
  mkdirSync(dir);
  return dir;
}

/** Appends until one is taken; every one that is taken must stand in the directory at that moment. */
async function goOn(journal: Journal, dir: string, n: number): Promise<number> {
  for (let refused = 0; ; refused++) {
    try {
      const { hash } = await journal.append(draft(n));
      expect(stands(dir, hash)).toBe(true);
      return refused;
    } catch (e) {
      expect(e).toMatchObject({ code: 'journal_unwritable' });
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}

describe.each(['strict', 'interval'] as const)('with durability %s', (durability) => {
  test.each(Object.keys(DONE))(
    'when %s, nothing is acknowledged that the directory does not hold, and the journal goes on',
    async (how) => {
      const dir = directory();
      const journal = await openJournal(dir, { durability });
      onTestFinished(() => journal.close());
      for (let i = 0; i < 5; i++) await journal.append(draft(i));
      DONE[how]!.to(filesOf(dir, journal));
      await goOn(journal, dir, 5);
      // A missing head or lock is noticed by the next look, and made anew by the one after it.
      await expect
        .poll(() => readdirSync(dir).filter((f) => f.endsWith('.head') || f.endsWith('.lock')).length, {
          timeout: 5000,
        })
        .toBe(2);
      await goOn(journal, dir, 6);
      await journal.close();
      expect((await verify({ dir, key: null })).ok).toBe(DONE[how]!.intact);
    },
  );
});

test('whatever happens to the files at any moment under load, what was acknowledged stood in its place', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...Object.keys(DONE)), fc.nat(8)), { minLength: 1, maxLength: 4 }),
      async (done) => {
        const dir = directory();
        const journal = await openJournal(dir, { probeInterval: 5, segmentSize: 16 << 10 });
        try {
          for (const [how, pause] of done) {
            await goOn(journal, dir, 0);
            const under = Array.from({ length: 20 }, (_, i) =>
              journal.append(draft(i)).then(
                ({ hash }) => hash,
                () => null,
              ),
            );
            await new Promise((r) => setTimeout(r, pause));
            const files = filesOf(dir, journal);
            const before = await Promise.race([Promise.all(under), null]);
            if (before !== null)
              for (const hash of before) expect(hash === null || stands(dir, hash)).toBe(true);
            DONE[how]!.to(files);
            rmSync(`${dir}.moved`, { recursive: true, force: true });
            await Promise.all(under);
            await goOn(journal, dir, 1);
          }
        } finally {
          await journal.close();
        }
      },
    ),
    { numRuns: 25 },
  );
});

test('a file that stands where the next segment begins is moved to the quarantine directory', async () => {
  const dir = directory();
  const journal = await openJournal(dir);
  onTestFinished(() => journal.close());
  const name = `${journal.origin}.0000000000000001`;
  writeFileSync(join(dir, `${name}.jsonl`), 'refused');
  const { hash } = await journal.append(draft(1));
  expect(stands(dir, hash)).toBe(true);
  expect(readFileSync(join(dir, 'quarantine', `${name}.1.torn`), 'utf8')).toBe('refused');
  await journal.close();
  expect((await verify({ dir, key: null })).problems).toEqual([]);
});

test.each(['removed', 'moved away', 'replaced by an empty one'])(
  'a decision log whose directory was %s closes without a throw',
  async (how) => {
    const dir = directory();
    const log = await createDecisionLog(
      { journal: { dir, instance: 'test', min_free: 65_536 } },
      { logger: silentLogger },
    );
    await log.append(draft(1));
    DONE[`its directory is ${how}`]!.to({ dir, segment: '', head: '', lock: '' });
    await log.append(draft(2)).catch(() => undefined);
    await log.close();
  },
);

test('a generated key of data subjects is kept when the directory that held it is replaced', async () => {
  const dir = directory();
  const log = await createDecisionLog(
    { journal: { dir, instance: 'test', min_free: 65_536 } },
    { logger: silentLogger },
  );
  const key = readFileSync(join(dir, 'data-subject.key'), 'utf8');
  await log.append(draft(1));
  rmSync(dir, { recursive: true });
  await expect
    .poll(
      () =>
        log.append(draft(2)).then(
          () => 'taken',
          () => 'refused',
        ),
      { timeout: 10_000 },
    )
    .toBe('taken');
  expect(readFileSync(join(dir, 'data-subject.key'), 'utf8')).toBe(key);
  await log.close();
});
