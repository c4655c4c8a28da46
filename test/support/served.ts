/** `sluice serve` as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, get as httpGet, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { prepare } from './sluice.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

export interface Served {
  readonly child: ChildProcess;
  readonly proxy: string;
  readonly admin: string;
  readonly dir: string;
  readonly file: string;
  log(): string;
  ended: Promise<number | null>;
}

export type Setup = Parameters<typeof prepare>[0];

/** To be run in reverse after a test. */
export type Cleaning = (() => void)[];

export async function upstreamOf(handle: (res: ServerResponse) => void, cleaning: Cleaning): Promise<string> {
  const server: Server = createServer((_req, res) => handle(res));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  cleaning.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export const customer = (res: ServerResponse): void => {
  res.setHeader('Content-Type', 'application/json');
  res.end('{"id":"C1","name":"Li","phone":"13812345678"}');
};

/** @throws what it said, when it does not start */
export async function serve(setup: Setup, issuer: DevelopmentIssuer, cleaning: Cleaning): Promise<Served> {
  const { dir, file } = await prepare(setup, issuer);
  cleaning.push(() => rmSync(dir, { recursive: true, force: true }));
  const started = launch(file, cleaning);
  // The default policy is compiled by one worker after the other: on a busy machine that takes a while.
  await until(() => started.ready() !== undefined || started.child.exitCode !== null, 90);
  const found = started.ready();
  if (!found) throw new Error(`did not start: ${started.log()}`);
  return { ...started, ...found, dir, file };
}

/** A group of its own, as a shell gives each command one: a terminal's Ctrl-C reaches all processes of it. */
export function launch(file: string, cleaning: Cleaning, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, ...env },
  });
  let out = '';
  let log = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    log += String(chunk);
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  cleaning.push(() => signalAll(child, 'SIGKILL'));
  return {
    child,
    ended,
    log: () => out + log,
    ready(): { proxy: string; admin: string } | undefined {
      const line = out.split('\n').find((l) => l.includes('"ready"'));
      return line === undefined ? undefined : (JSON.parse(line) as { proxy: string; admin: string });
    },
  };
}

export function signalAll(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // all of them have ended
  }
}

/** process ids of what a process has started and what is still there */
export const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]) === parent;
      } catch {
        return false;
      }
    })
    .sort((a, b) => a - b);

export async function until(holds: () => boolean | Promise<boolean>, seconds = 40): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error('waited in vain');
}

/** A request on a connection of its own, as an ordinary caller sends it. */
export async function get(
  { proxy }: Pick<Served, 'proxy'>,
  issuer: DevelopmentIssuer,
  path = '/customers/C1',
): Promise<{ status: number; text: string }> {
  const token = await issuer.sign({ sub: 'u-1', roles: ['support'], org: 'internal', clearance: 3 });
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' };
    httpGet(`${proxy}${path}`, { headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    }).on('error', reject);
  });
}
