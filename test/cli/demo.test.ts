/** `sluice demo` as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/served.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
let child: ChildProcess | undefined;
let dir: string | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

test('SIGHUP reads policy and consents again, as of `serve`, and SIGTERM ends it', async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-demo-test-'));
  const flags = ['--port', '0', '--admin-port', '0', '--customers', '20', '--dir', dir];
  child = spawn(process.execPath, [MAIN, 'demo', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let out = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk) => {
      out += String(chunk);
    });
  await until(() => out.includes('Ctrl-C ends it') || child!.exitCode !== null, 90);
  const admin = /^admin {2}(\S+)/m.exec(out)![1]!;
  for (let i = 0; i < 3; i++) {
    child.kill('SIGHUP');
    expect(await (await fetch(`${admin}/readyz`)).json()).toMatchObject({ status: 'ready' });
  }
  const readings = (found: boolean): number =>
    out.split('\n').filter((line) => line.includes('read again"') && line.includes(`"consents":${found}`))
      .length;
  await until(() => readings(true) > 0);
  writeFileSync(join(dir, 'consents.yaml'), 'version: 1\n---\n');
  child.kill('SIGHUP');
  await until(() => readings(false) > 0);
  child.kill('SIGTERM');
  expect((await ended)[0]).toBe(0);
});
