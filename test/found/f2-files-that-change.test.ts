/**
 * Class: a set of files read while it changes, and changes that nothing tells of. Root cause: a directory was listed by one name and read
 * by another, change was told from size and time of a name, and a failure to read was taken for a fault of the policy.
 */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openConsentFile } from '../../src/consent/file.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { observeFile } from '../../src/observability/file.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { readStable } from '../../src/observability/stable.ts';
import { readPolicyDirectory } from '../../src/policy/directory.ts';
import { writeBundle } from '../../src/policy/bundle/bundle.ts';
import { createPolicyStore, type LivePolicyStore } from '../../src/policy/store.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { FIXTURE, fixture, inputFor, opa, scratch } from '../policy/support.ts';
import { cleanedTest } from '../support/cleaned-test.ts';
import { customer, get, serve, upstreamOf } from '../support/served.ts';
import { answer, SCRIPTED } from '../support/sluice.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const o of open.splice(0).reverse()) await o.close();
});

const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 60_000, interval: 20 });
const tick = () => new Promise((done) => setTimeout(done, 1));

const storeOf = async (config: object): Promise<LivePolicyStore> => {
  const store = await createPolicyStore(config, {
    logger: silentLogger,
    clock: systemClock,
    baseDir: '/',
    opa,
  });
  open.push(store);
  return store;
};

/** A version of a policy directory: every file says which it is of. */
function version(dir: string, name: string, files = 30): string {
  for (let i = 0; i < files; i++) {
    const path = join(dir, i % 2 ? 'data' : 'catalog', `${i}.yaml`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `version: ${name}\n`);
  }
  return dir;
}

/** Replaces a link at once, as a deployment does. */
function link(target: string, path: string): void {
  symlinkSync(target, `${path}.new`);
  renameSync(`${path}.new`, path);
}

describe('a directory that is replaced while it is read', () => {
  /** how one version takes the other's place under `dir` */
  const SWAPS: Readonly<
    Record<string, (root: string) => { readonly dir: string; readonly swap: (n: number) => void }>
  > = {
    'by a link to it': (root) => {
      const dir = join(root, 'live');
      const swap = (n: number) => link(join(root, n % 2 ? 'B' : 'A'), dir);
      swap(0);
      return { dir, swap };
    },
    'as a ConfigMap is': (root) => {
      const dir = join(root, 'live');
      mkdirSync(dir);
      const swap = (n: number) => link(join(root, n % 2 ? 'B' : 'A'), join(dir, '..data'));
      swap(0);
      for (const folder of ['data', 'catalog']) symlinkSync(`..data/${folder}`, join(dir, folder));
      return { dir, swap };
    },
    'file by file as a ConfigMap is': (root) => {
      const dir = join(root, 'live');
      const swap = (n: number) => link(join(root, n % 2 ? 'B' : 'A'), join(dir, '..data'));
      for (const folder of ['data', 'catalog']) {
        mkdirSync(join(dir, folder), { recursive: true });
        for (const name of readdirSync(join(root, 'A', folder)))
          symlinkSync(`../..data/${folder}/${name}`, join(dir, folder, name));
      }
      swap(0);
      return { dir, swap };
    },
    'by renaming': (root) => {
      const dir = join(root, 'live');
      renameSync(join(root, 'A'), dir);
      return {
        dir,
        swap: () => {
          renameSync(dir, join(root, 'C'));
          renameSync(join(root, 'B'), dir);
          renameSync(join(root, 'C'), join(root, 'B'));
        },
      };
    },
  };

  test.each(Object.keys(SWAPS))('%s is read as one version or the other', async (how) => {
    const root = await scratch();
    version(join(root, 'A'), 'A');
    version(join(root, 'B'), 'B');
    const { dir, swap } = SWAPS[how]!(root);
    let over = false;
    const swapping = (async () => {
      for (let n = 1; !over; n++) {
        swap(n);
        // bursts of changes, and rests that are long enough to read in
        for (let i = 0; i < (n % 7 === 0 ? 120 : 2); i++) await tick();
      }
    })();
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const { data, catalogs } = await readPolicyDirectory(dir);
      const versions = new Set([...data, ...catalogs].map(({ text }) => text));
      expect(versions.size).toBe(1);
      expect(data.length + catalogs.length).toBe(30);
      seen.add([...versions][0]!);
    }
    over = true;
    await swapping;
    expect(seen.size).toBeGreaterThan(0);
  });

  test('and does not come to rest is refused with a reason', async () => {
    const root = await scratch();
    const dir = version(join(root, 'live'), 'A', 4);
    let over = false;
    const writing = (async () => {
      for (let n = 0; !over; n++) {
        writeFileSync(join(dir, 'data/1.yaml'), `version: ${n}\n`);
        await tick();
      }
    })();
    await expect(readPolicyDirectory(dir)).rejects.toMatchObject({ code: 'policy_unavailable' });
    over = true;
    await writing;
  });
});

describe('a change that neither size nor time tells of', () => {
  const TIME = new Date('1980-01-01T00:00:00Z');
  const ROLES = [
    'roles: { support: { purposes: [after_sales, marketing_one] } }',
    'roles: { support: { purposes: [after_sales, marketing_two] } }',
  ];
  const allowed = (store: LivePolicyStore, purpose: string) =>
    store.current().decide(inputFor('support', purpose)).allow;

  test('is found in a directory, and by a request to read anew', async () => {
    const root = await scratch();
    for (const [i, roles] of ROLES.entries()) {
      const dir = join(root, String(i));
      cpSync(FIXTURE, dir, { recursive: true });
      writeFileSync(join(dir, 'data/roles.yaml'), roles);
      utimesSync(join(dir, 'data/roles.yaml'), TIME, TIME);
    }
    const live = join(root, 'live');
    link(join(root, '0'), live);
    const watched = await storeOf({ dir: live });
    const unwatched = await storeOf({ dir: live, watch: false });
    expect(allowed(watched, 'marketing_one')).toBe(true);
    link(join(root, '1'), live);
    await until(() => allowed(watched, 'marketing_two'));
    expect(allowed(unwatched, 'marketing_two')).toBe(false);
    await unwatched.reload(true);
    expect(allowed(unwatched, 'marketing_two')).toBe(true);
  });

  test('is found in a bundle', async () => {
    const root = await scratch();
    const file = join(root, 'bundle.tar.gz');
    const bundle = await fixture();
    const dataOf = (mark: string) => ({ ...bundle.data, mark });
    const write = async (mark: string) => {
      const data = dataOf(mark);
      const bytes = await writeBundle({ ...bundle, revision: mark, data, dataJson: JSON.stringify(data) });
      writeFileSync(`${file}.new`, bytes);
      utimesSync(`${file}.new`, TIME, TIME);
      renameSync(`${file}.new`, file);
    };
    await write('aaaa');
    const store = await storeOf({ bundle: file });
    await write('bbbb');
    await until(() => store.current().revision === 'bbbb');
  });

  test('is found in a file that is written to twice within a moment', async () => {
    const root = await scratch();
    const path = join(root, 'file');
    for (let n = 0; n < 20; n++) {
      writeFileSync(path, 'one');
      utimesSync(path, TIME, TIME);
      const file = observeFile({ path, clock: systemClock, parse: (text) => text, poll: 60_000 });
      open.push(file);
      writeFileSync(path, 'two');
      utimesSync(path, TIME, TIME);
      await until(() => {
        file.look();
        return file.value === 'two';
      });
    }
  });
});

test('what a listener for changes throws is no fault of the file', async () => {
  const path = join(await scratch(), 'file');
  writeFileSync(path, 'one');
  const errors: Error[] = [];
  const file = observeFile({
    path,
    clock: systemClock,
    parse: (text) => text,
    poll: 60_000,
    onChange: () => {
      throw new Error('of the listener');
    },
    onError: (error) => errors.push(error),
  });
  // Only the calls below look for changes.
  file.close();
  writeFileSync(path, 'two');
  expect(() => file.look(true)).toThrow('of the listener');
  expect([file.value, file.error, file.brokenSince, errors]).toEqual(['two', null, null, []]);
});

test('a file that is closed while it is unreadable is not looked at again', async () => {
  const path = join(await scratch(), 'file');
  writeFileSync(path, 'one');
  let reads = 0;
  const parse = (text: string): string => {
    reads += 1;
    if (text === 'two') throw new Error('unreadable');
    return text;
  };
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  try {
    const file = observeFile({ path, clock: systemClock, parse, poll: 60_000 });
    writeFileSync(path, 'two');
    file.look();
    expect(reads).toBe(2);
    file.close();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

describe('a source that is away for a moment', () => {
  test('leaves the policy degraded for as long, and no longer, though nothing changed', async () => {
    const root = await scratch();
    const dir = join(root, 'live');
    cpSync(FIXTURE, dir, { recursive: true });
    const store = await storeOf({ dir });
    const { revision } = store.current();
    renameSync(dir, join(root, 'away'));
    await until(() => store.status().unavailable?.code === 'policy_unavailable');
    expect(store.status()).toMatchObject({ ok: true, revision });
    renameSync(join(root, 'away'), dir);
    await until(() => store.status().unavailable === null);
    expect(store.status().error).toBe(null);
  });

  test('does not hide a fault of the policy that is still there', async () => {
    const root = await scratch();
    const dir = join(root, 'live');
    cpSync(FIXTURE, dir, { recursive: true });
    const store = await storeOf({ dir });
    writeFileSync(join(dir, 'sluice/decision.rego'), 'package sluice\n\ndecision := {\n');
    await until(() => store.status().error?.code === 'policy_compile_failed');
    renameSync(dir, join(root, 'away'));
    await until(() => store.status().unavailable !== null);
    renameSync(join(root, 'away'), dir);
    await until(() => store.status().unavailable === null);
    expect(store.status().error?.code).toBe('policy_compile_failed');
  });
});

describe.concurrent('a policy directory that changes under load, with two workers', () => {
  /** Each needs its own catalog and its own data: a mix of both is neither answer. */
  const VERSIONS = {
    A: {
      classes: { '/phone': 'contact', '/name': 'identity' },
      does: { 'reference/1': 'disclose', 'contact/3': 'mask', 'identity/3': 'disclose' },
      shown: '{"id":"C1","name":"Li","phone":"138****5678"}',
    },
    B: {
      classes: { '/phone': 'identity', '/name': 'contact' },
      does: { 'reference/1': 'disclose', 'contact/3': 'drop', 'identity/3': 'mask' },
      shown: '{"id":"C1","phone":"138****5678"}',
    },
  } as const;
  const FILES = ['sluice/scripted.rego', 'catalog/customer.yaml', 'data/answers.yaml'];

  function writeVersion(dir: string, name: keyof typeof VERSIONS): void {
    const { classes, does } = VERSIONS[name];
    const fields = {
      '/id': { category: 'reference', grade: 1 },
      '/name': { category: classes['/name'], grade: 3, mask: 'person_name' },
      '/phone': { category: classes['/phone'], grade: 3, mask: 'phone' },
    };
    const texts = [
      SCRIPTED,
      JSON.stringify({ resource: 'customer', data_subject: '/id', fields }),
      JSON.stringify({
        purposes: { after_sales: {} },
        obligations: {},
        answers: { customer: { '*': answer(does) } },
      }),
    ];
    for (const [i, file] of FILES.entries()) {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      writeFileSync(join(dir, file), texts[i]!);
    }
  }

  const SWAPS: Readonly<Record<string, (root: string, live: string) => (to: string) => void>> = {
    'by a link': (root, live) => (to) => link(join(root, to), live),
    'as a ConfigMap is': (root, live) => {
      for (const file of FILES) {
        mkdirSync(dirname(join(live, file)), { recursive: true });
        symlinkSync(`../..data/${file}`, join(live, file));
      }
      return (to) => link(join(root, to), join(live, '..data'));
    },
    'file by file': (root, live) => (to) => {
      for (const file of FILES) {
        mkdirSync(dirname(join(live, file)), { recursive: true });
        cpSync(join(root, to, file), join(live, `${file}.new`));
        renameSync(join(live, `${file}.new`), join(live, file));
      }
    },
  };

  cleanedTest.for(Object.keys(SWAPS))(
    '%s 60 times answers by one version or the other, and ends well',
    async (how, { cleaning }) => {
      const issuer = await createDevelopmentIssuer();
      const root = await scratch();
      writeVersion(join(root, 'A'), 'A');
      writeVersion(join(root, 'B'), 'B');
      const live = join(root, 'live');
      const swap = SWAPS[how]!(root, live);
      swap('A');
      const upstream = await upstreamOf(customer, cleaning);
      const served = await serve(
        { upstream, config: { workers: 2, policy: { dir: live } } },
        issuer,
        cleaning,
      );
      let over = false;
      const answers = new Set<string>();
      const asking = Promise.all(
        [1, 2].map(async () => {
          while (!over) {
            const found = await get(served, issuer).catch((e: Error) => ({ status: 0, text: e.message }));
            // a refusal without the id of its decision
            answers.add(`${found.status} ${found.text.replace(/"decision_id":"[^"]*"/, '')}`);
          }
        }),
      );
      for (let n = 1; n <= 60; n++) {
        const to = n % 2 === 0 ? 'A' : 'B';
        swap(to);
        // bursts, and now and then a rest in which what stands there is read and compiled
        if (n % 20 !== 0) await pause(n % 7);
        else
          await vi.waitFor(async () => expect((await get(served, issuer)).text).toBe(VERSIONS[to].shown), {
            timeout: 40_000,
            interval: 50,
          });
      }
      swap('B');
      const ready = async (): Promise<unknown> => (await fetch(`${served.admin}/readyz`)).json();
      await vi.waitFor(
        async () => {
          expect(await ready()).toMatchObject({ status: 'ready' });
          for (let i = 0; i < 6; i++) expect((await get(served, issuer)).text).toBe(VERSIONS.B.shown);
        },
        { timeout: 40_000, interval: 100 },
      );
      over = true;
      await asking;
      // Between one file and the next of a directory without versions, the mix is what stands there.
      if (how !== 'file by file')
        for (const found of answers)
          expect([`200 ${VERSIONS.A.shown}`, `200 ${VERSIONS.B.shown}`]).toContain(found);
      expect(answers).toContain(`200 ${VERSIONS.B.shown}`);
      expect(served.log()).not.toContain('a worker ended');
    },
  );
});

test('a file that is replaced while it is read is read as one version or the other', async () => {
  const root = await scratch();
  const path = join(root, 'file');
  const texts = ['a', 'b'].map((c) => c.repeat(200_000));
  writeFileSync(path, texts[0]!);
  for (let n = 0; n < 200; n++) {
    writeFileSync(`${path}.new`, texts[n % 2]!);
    renameSync(`${path}.new`, path);
    expect(texts).toContain(readStable(path).bytes.toString());
  }
});

test('consents, read anew on request, are those of the file', async () => {
  const root = await scratch();
  const file = join(root, 'consents.yaml');
  const write = (flag: string) =>
    writeFileSync(file, `---\nversion: 1\ndata_subjects: { C1: { flags: [${flag}] } }\n...\n`);
  write('vip');
  const consents = openConsentFile(
    { file, poll: 60_000, stale_if_error: 0, expose_dates: false },
    { clock: systemClock, logger: silentLogger },
  );
  open.push(consents);
  write('opt');
  consents.refresh!();
  expect((await consents.lookup(['C1'], new Date())).get('C1')?.flags).toEqual(['opt']);
  rmSync(file);
  expect(() => readFileSync(file)).toThrow();
});
