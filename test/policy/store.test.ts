import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { writeBundle } from '../../src/policy/bundle/bundle.ts';
import type { PolicyConfig } from '../../src/policy/settings.ts';
import { createPolicyStore, type LivePolicyStore, type StoreDependencies } from '../../src/policy/store.ts';
import { FIXTURE, fixture, inputFor, opa, rejection, scratch } from './support.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const o of open.splice(0).reverse()) await o.close();
});

const store = async (
  config: PolicyConfig,
  more: Partial<StoreDependencies> = {},
): Promise<LivePolicyStore> => {
  const s = await createPolicyStore(config, {
    logger: silentLogger,
    clock: systemClock,
    baseDir: '/',
    opa,
    ...more,
  });
  open.push(s);
  return s;
};
const copy = async (): Promise<string> => {
  const dir = await scratch();
  await cp(FIXTURE, dir, { recursive: true });
  return dir;
};
/**
 * A file of a watched directory is replaced as a whole. What `writeFile` opens is empty until it writes, which on a busy machine may be long
 * enough to be loaded, as whatever another process left unfinished for that long would be.
 */
const replace = async (file: string, text: string): Promise<void> => {
  const whole = join(await scratch(), 'whole');
  await writeFile(whole, text);
  await rename(whole, file);
};
const allows = (s: LivePolicyStore, role: string, purpose: string): boolean =>
  s.current().decide(inputFor(role, purpose)).allow;
const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 60_000, interval: 20 });

describe('a policy directory', () => {
  test('is compiled at start and again when it changes', async () => {
    const dir = await copy();
    const s = await store({ dir });
    const before = s.current();
    expect(allows(s, 'support', 'market_research')).toBe(false);
    await replace(join(dir, 'data/roles.yaml'), 'roles: { support: { purposes: [market_research] } }');
    await until(() => allows(s, 'support', 'market_research'));
    expect(s.status()).toMatchObject({ ok: true, error: null, revision: s.current().revision });
    // who took the snapshot before keeps it
    expect(before.decide(inputFor('support', 'market_research')).allow).toBe(false);
    expect(before.revision).not.toBe(s.current().revision);
  });

  test('with a fault keeps the last good policy, says so, and recovers', async () => {
    const dir = await copy();
    const counted: string[] = [];
    const s = await store({ dir }, { metrics: { count: (n) => void counted.push(n) } });
    const { revision } = s.current();
    const file = join(dir, 'sluice/decision.rego');
    await replace(file, 'package sluice\n\ndecision := {\n');
    await until(() => s.status().error !== null);
    expect(s.status()).toMatchObject({ ok: true, revision, error: { code: 'policy_compile_failed' } });
    expect(s.status().error!.message).toContain(`${file}:4`);
    expect(counted).toEqual(['policy_reload_failures']);
    expect(allows(s, 'support', 'after_sales')).toBe(true);
    await replace(file, await readFile(join(FIXTURE, 'sluice/decision.rego'), 'utf8'));
    await until(() => s.status().error === null);
  });

  test('with a fault at start is an error with file and line', async () => {
    const dir = await copy();
    await writeFile(join(dir, 'sluice/decision.rego'), 'package sluice\n\ndecision := {\n');
    const e = await rejection(store({ dir }));
    expect(e.code).toBe('policy_compile_failed');
    expect(e.at).toMatchObject({ file: join(dir, 'sluice/decision.rego'), line: 4 });
  });

  test('is not watched if watching is off', async () => {
    const dir = await copy();
    const s = await store({ dir, watch: false });
    const watched = await store({ dir });
    await replace(join(dir, 'data/roles.yaml'), 'roles: {}');
    await until(() => !allows(watched, 'support', 'after_sales'));
    expect(allows(s, 'support', 'after_sales')).toBe(true);
    await s.reload();
    expect(allows(s, 'support', 'after_sales')).toBe(false);
  });
});

describe('the gate', () => {
  test('keeps a policy out that fails its scenarios', async () => {
    const dir = await copy();
    let refuse = false;
    const s = await store(
      { dir, watch: false },
      {
        gate: async (candidate) => {
          expect(candidate.catalogs.has('customer')).toBe(true);
          if (refuse) throw new SluiceError('policy_scenario_failed', 'scenario "a" expected 200');
        },
      },
    );
    refuse = true;
    await writeFile(join(dir, 'data/roles.yaml'), 'roles: {}');
    await s.reload();
    expect(s.status().error).toMatchObject({
      code: 'policy_scenario_failed',
      message: 'scenario "a" expected 200',
    });
    expect(allows(s, 'support', 'after_sales')).toBe(true);
  });

  test('tests one policy at a time, and the newest one stays live', async () => {
    const dir = await copy();
    let [inside, most] = [0, 0];
    const s = await store(
      { dir, watch: false },
      {
        gate: async () => {
          most = Math.max(most, ++inside);
          await new Promise((done) => setImmediate(done));
          inside -= 1;
        },
      },
    );
    const reloads: Promise<void>[] = [];
    for (const purpose of ['a', 'b', 'c']) {
      await writeFile(join(dir, 'data/roles.yaml'), `roles: { support: { purposes: [${purpose}] } }`);
      reloads.push(s.reload());
    }
    await Promise.all(reloads);
    expect(most).toBe(1);
    expect(allows(s, 'support', 'c')).toBe(true);
  });
});

describe('a bundle file', () => {
  test('is loaded again when another file is renamed over it', async () => {
    const dir = await scratch();
    const file = join(dir, 'b.tar.gz');
    const bundle = await fixture();
    await writeFile(file, await writeBundle(bundle));
    const s = await store({ bundle: file }, { opa: () => Promise.reject(new Error('no OPA is needed')) });
    expect(s.current().revision).toBe(bundle.revision);
    await writeFile(`${file}.new`, await writeBundle({ ...bundle, revision: 'second' }));
    await rename(`${file}.new`, file);
    await until(() => s.current().revision === 'second');
  });

  test('that becomes garbage or vanishes leaves the last good policy', async () => {
    const file = join(await scratch(), 'b.tar.gz');
    await writeFile(file, await writeBundle(await fixture()));
    const s = await store({ bundle: file, watch: false });
    await writeFile(file, 'garbage');
    await s.reload();
    expect(s.status().error?.code).toBe('bundle_malformed');
    await rm(file);
    await s.reload();
    expect(s.status().unavailable?.code).toBe('bundle_unavailable');
    expect(allows(s, 'support', 'after_sales')).toBe(true);
  });

  test('must be signed if keys are given', async () => {
    const file = join(await scratch(), 'b.tar.gz');
    await writeFile(file, await writeBundle(await fixture()));
    const signing = { keys: { k: { algorithm: 'HS256' as const, key: 'secret' } } };
    expect((await rejection(store({ bundle: file, signing }))).code).toBe('bundle_unsigned');
    await writeFile(
      file,
      await writeBundle(await fixture(), { kid: 'k', algorithm: 'HS256', key: 'secret' }),
    );
    expect((await store({ bundle: file, signing })).status().ok).toBe(true);
  });
});

describe('a bundle at a URL', () => {
  const serve = async (
    answer: (req: IncomingMessage, res: ServerResponse) => void,
  ): Promise<{ url: string; close(): Promise<void> }> => {
    const server = createServer(answer);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const close = (): Promise<void> =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      });
    open.push({ close });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/b.tar.gz?token=hidden`, close };
  };

  test('is requested with its ETag and headers, and loaded again only when it has changed', async () => {
    const bundle = await fixture();
    let [revision, asked] = ['one', 0];
    const log: [number, string | undefined][] = [];
    const { url } = await serve(async (req, res) => {
      asked += 1;
      if (req.headers['authorization'] !== 'Bearer t') return void res.writeHead(401).end();
      const etag = `"${revision}"`;
      const status = req.headers['if-none-match'] === etag ? 304 : 200;
      log.push([status, req.headers['if-none-match']]);
      res.writeHead(status, { etag });
      res.end(status === 304 ? undefined : await writeBundle({ ...bundle, revision }));
    });
    const s = await store({ url, headers: { authorization: 'Bearer t' } });
    await s.reload();
    revision = 'two';
    await s.reload();
    expect(s.current().revision).toBe('two');
    expect(log).toEqual([
      [200, undefined],
      [304, '"one"'],
      [200, '"one"'],
    ]);
    expect(asked).toBe(3);
    expect(s.current().bundle).not.toContain('hidden');
  });

  test('is polled with jitter', async () => {
    const bytes = await writeBundle(await fixture());
    const random = vi.spyOn(Math, 'random');
    let asked = 0;
    const { url } = await serve((_req, res) => {
      asked += 1;
      res.end(bytes);
    });
    await store({ url, poll: 50 });
    await until(() => asked > 6);
    expect(random.mock.calls.length).toBeGreaterThan(5);
    random.mockRestore();
  });

  test('is loaded from disk at a start while the server is down, and verified, too', async () => {
    const cache_dir = await scratch();
    const signing = { keys: { k: { algorithm: 'HS256' as const, key: 'secret' } } };
    const bytes = await writeBundle(await fixture(), { kid: 'k', algorithm: 'HS256', key: 'secret' });
    const server = await serve((_req, res) => void res.end(bytes));
    const { url } = server;
    await store({ url, cache_dir, signing });
    await server.close();
    const s = await store({ url, cache_dir, signing });
    expect(allows(s, 'support', 'after_sales')).toBe(true);
    expect(s.status()).toMatchObject({ ok: true, error: null, unavailable: { code: 'bundle_unavailable' } });
    const other = { keys: { k: { algorithm: 'HS256' as const, key: 'other' } } };
    expect((await rejection(store({ url, cache_dir, signing: other }))).code).toBe(
      'bundle_signature_invalid',
    );
    expect((await rejection(store({ url }))).code).toBe('bundle_unavailable');
  });

  test.each<[string, (res: ServerResponse, bytes: Buffer) => void, string]>([
    ['answers 500', (res) => res.writeHead(500).end('secret detail'), 'bundle_unavailable'],
    [
      'redirects',
      (res) => res.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'bundle_unavailable',
    ],
    [
      'breaks off',
      (res, bytes) => {
        res.writeHead(200, { 'content-length': bytes.length });
        res.write(bytes.subarray(0, 100), () => res.destroy());
      },
      'bundle_unavailable',
    ],
    ['answers HTML', (res) => res.end('<html>'), 'bundle_malformed'],
  ])('of a server that %s leaves the last good policy', async (_name, bad, code) => {
    const bytes = await writeBundle(await fixture());
    let broken = false;
    const { url } = await serve((_req, res) => (broken ? bad(res, bytes) : void res.end(bytes)));
    const s = await store({ url });
    broken = true;
    await s.reload();
    const { error, unavailable } = s.status();
    expect((error ?? unavailable)?.code).toBe(code);
    expect((error ?? unavailable)?.message).not.toContain('secret');
    expect(allows(s, 'support', 'after_sales')).toBe(true);
    broken = false;
    await s.reload();
    expect(s.status().unavailable).toBeNull();
  });

  test('may not be larger than allowed', async () => {
    const { url } = await serve((_req, res) => void res.end(Buffer.alloc(200_000)));
    const e = await rejection(store({ url, limits: { bundle_bytes: 100_000 } }));
    expect(e.code).toBe('bundle_too_large');
  });
});

test('a section that names two sources, or none, is refused', async () => {
  expect((await rejection(store({}))).code).toBe('config_invalid');
  expect((await rejection(store({ dir: 'a', bundle: 'b' }))).code).toBe('config_invalid');
});

test('a store that was closed stays as it is', async () => {
  const dir = await copy();
  const s = await store({ dir });
  await s.close();
  await writeFile(join(dir, 'data/roles.yaml'), 'roles: {}');
  await s.reload();
  expect(allows(s, 'support', 'after_sales')).toBe(true);
});
