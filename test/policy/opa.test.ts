import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createReadStream } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { opa, rejection, scratch } from './support.ts';

const script = async (dir: string, name = 'opa'): Promise<string> => {
  const file = join(dir, name);
  await mkdir(dir, { recursive: true });
  await writeFile(file, '#!/bin/sh\necho planted\ntouch "$(dirname "$0")/was-run"\n');
  await chmod(file, 0o755);
  return file;
};

describe('the OPA binary', () => {
  const NOWHERE = 'http://127.0.0.1:1';
  let served = '';
  let releases = '';
  const server = createServer((req, res) => {
    if (req.url !== '/v1.19.0/opa_linux_amd64_static') res.writeHead(404).end();
    else if (served === '') res.end('not the binary');
    else createReadStream(served).pipe(res);
  });
  beforeAll(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    releases = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise<void>((done) => void server.close(() => done())));

  test('named by the user is run as it is', async () => {
    const file = await script(await scratch());
    const found = await resolveOpa({ env: { OPA_BIN: file } });
    expect(found.origin).toBe('OPA_BIN');
    expect((await found.run(['version'])).stdout).toBe('planted\n');
  });

  test('named by the user but missing is an error', async () => {
    expect((await rejection(resolveOpa({ env: { OPA_BIN: '/nowhere/opa' } }))).code).toBe('opa_not_found');
  });

  test('found on PATH is skipped unless it is a published one', async () => {
    const planted = await scratch();
    await script(planted);
    const found = await resolveOpa({ env: { PATH: planted } });
    expect(found.origin).toBe('npm');
    const official = await scratch();
    await copyFile((await opa()).path, join(official, 'opa'));
    expect((await resolveOpa({ env: { PATH: official } })).origin).toBe('PATH');
  });

  test('is never searched in the working directory', async () => {
    const e = await rejection(
      resolveOpa({
        env: { PATH: '.::relative' },
        packaged: () => null,
        releases: NOWHERE,
        cacheDir: await scratch(),
      }),
    );
    expect(e.code).toBe('opa_not_found');
    expect(e.message).toContain('OPA_BIN');
  });

  test('with another digest is refused, and not run, if there is no other', async () => {
    const planted = await scratch();
    const file = await script(planted);
    const e = await rejection(
      resolveOpa({
        env: { PATH: planted },
        packaged: () => file,
        releases: NOWHERE,
        cacheDir: await scratch(),
      }),
    );
    expect(e.code).toBe('opa_digest_mismatch');
    const { access } = await import('node:fs/promises');
    await expect(access(join(planted, 'was-run'))).rejects.toThrow();
  });

  test('is downloaded as a last resort, verified, and stored', async () => {
    const options = {
      env: {},
      platform: 'linux/x64',
      packaged: () => null,
      releases,
      cacheDir: await scratch(),
    };
    served = '';
    expect((await rejection(resolveOpa(options))).code).toBe('opa_digest_mismatch');
    served = (await opa()).path;
    const found = await resolveOpa(options);
    expect(found.origin).toBe('download');
    expect((await found.run(['version'])).stdout).toContain('1.19.0');
    served = '';
    expect((await resolveOpa(options)).path).toBe(found.path);
  });

  test('that does not end is stopped', async () => {
    const dir = await scratch();
    const file = join(dir, 'opa');
    await writeFile(file, '#!/bin/sh\nexec sleep 30\n');
    await chmod(file, 0o755);
    const found = await resolveOpa({ env: { OPA_BIN: file } });
    expect((await rejection(found.run(['version'], { timeout: 100 }))).code).toBe('opa_failed');
  });
});

describe('OPA', () => {
  let asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.end('{}');
  });
  beforeAll(() => new Promise<void>((done) => void server.listen(0, '127.0.0.1', done)));
  afterAll(() => new Promise<void>((done) => void server.close(() => done())));

  /** rules whose schema is at a URL, and a test that calls `http.send` */
  const rules = async (): Promise<string> => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const dir = await scratch();
    await writeFile(
      join(dir, 'p.rego'),
      `# METADATA\n# schemas:\n#   - input: {$ref: "${url}/schema"}\npackage p\n\nx if input.y == 1\n`,
    );
    await mkdir(join(dir, 'tests'));
    await writeFile(
      join(dir, 'tests/p_test.rego'),
      `package p_test\n\ntest_x if http.send({"method": "get", "url": "${url}/sent"}).status_code == 200\n`,
    );
    return dir;
  };
  const RUNS = [
    ['check', '.'],
    ['eval', '-d', 'p.rego', 'data.p'],
    ['test', 'tests'],
  ];

  test.each(RUNS)('sends no request: opa %s', async (...args) => {
    const found = await resolveOpa();
    const cwd = await rules();
    asked = [];
    await found.run(args, { cwd });
    expect(asked).toEqual([]);
    // With OPA's own capabilities, the same command sends a request. Otherwise this test could not fail.
    const { stdout } = await found.run(['capabilities', '--current']);
    await writeFile(join(cwd, 'open.json'), stdout);
    const [command = '', ...rest] = args;
    await found.run([command, '--capabilities', 'open.json', '--ignore', 'open.json', ...rest], { cwd });
    expect(asked).not.toEqual([]);
  });
});
