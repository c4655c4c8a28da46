/** Cases of raw bytes on a connection, against `sluice serve` as a process of its own: a case may end it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { type Cleaning, get, type Served, serve } from '../support/served.ts';
import { CUSTOMER, CUSTOMER_ROUTES } from '../support/sluice.ts';
import { Wire } from '../support/wire.ts';
import { CLAIMS, PURPOSE } from './exchanges.ts';
import type { Result } from './run.ts';

interface HttpCase {
  readonly name: string;
  readonly class: string;
  readonly send: string;
  readonly reset_after_ms?: readonly number[];
  readonly repeat?: number;
  readonly expect: {
    readonly alive?: boolean;
    readonly upstream_targets?: readonly string[];
    readonly answers?: readonly number[];
    readonly strictly_framed?: boolean;
    readonly no_bytes_outside_answers?: boolean;
  };
}

/** how long a connection is listened to after the last byte came */
const QUIET_MS = 400;

export async function* http(cases: readonly HttpCase[]): AsyncIterable<Result> {
  const issuer = await createDevelopmentIssuer();
  for (const c of cases) {
    const cleaning: Cleaning = [];
    try {
      const targets: string[] = [];
      const upstream = await startUpstream(targets, cleaning);
      const served = await serve(
        {
          upstream,
          catalogs: { customer: CUSTOMER },
          routes: CUSTOMER_ROUTES,
          config: { purpose: { default: PURPOSE } },
        },
        issuer,
        cleaning,
      );
      const bytes = Buffer.from(c.send.replaceAll('{token}', await issuer.sign(CLAIMS)), 'latin1');
      const faults =
        c.reset_after_ms === undefined
          ? await answered(c, Number(new URL(served.proxy).port), bytes, targets)
          : await reset(c, Number(new URL(served.proxy).port), bytes);
      if (c.expect.alive === true) faults.push(...(await alive(served, issuer)));
      yield { name: c.name, class: c.class, faults };
    } catch (error) {
      yield { name: c.name, class: c.class, faults: [`could not run: ${(error as Error).message}`] };
    } finally {
      for (const clean of cleaning.reverse()) clean();
    }
  }
}

async function startUpstream(targets: string[], cleaning: Cleaning): Promise<string> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    targets.push(request.url ?? '');
    request.resume().on('end', () => {
      response.setHeader('Content-Type', 'application/json');
      response.end('{"id":"C1","city":"x"}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  cleaning.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function answered(
  { expect, send }: HttpCase,
  port: number,
  bytes: Buffer,
  targets: readonly string[],
): Promise<string[]> {
  const wire = await Wire.open(port);
  const statuses: number[] = [];
  const faults: string[] = [];
  const methods = [...send.matchAll(/(?:^|\r\n|\})([A-Z]+) \/\S* HTTP/g)].map(([, method]) => method);
  try {
    wire.write(bytes);
    for (;;) {
      await quiet(wire);
      if (wire.received.length === 0) break;
      const answer = await wire.answer({ timeout: QUIET_MS * 5 });
      statuses.push(answer.status);
      if (!answer.complete) faults.push(`the answer with status ${answer.status} is cut short`);
    }
  } catch (error) {
    faults.push(`is not framed strictly: ${(error as Error).message}`);
  } finally {
    wire.destroy();
  }
  const final = statuses.filter((status) => status >= 200);
  if (expect.answers !== undefined && final.join() !== expect.answers.join())
    faults.push(`answers ${final.join(', ') || 'nothing'}, not ${expect.answers.join(', ')}`);
  if (expect.no_bytes_outside_answers === true && final.length === 0) faults.push('nothing was answered');
  if (final.length > methods.length && expect.answers === undefined)
    faults.push(`${final.length} answers to ${methods.length} requests`);
  const { upstream_targets } = expect;
  if (upstream_targets !== undefined && targets.join() !== upstream_targets.join())
    faults.push(`the upstream got ${targets.join(', ') || 'nothing'}, not ${upstream_targets.join(', ')}`);
  return faults;
}

/** Resolves when something has arrived, or nothing does for a while. */
async function quiet(wire: Wire): Promise<void> {
  const until = Date.now() + QUIET_MS;
  while (wire.received.length === 0 && !wire.closed && Date.now() < until)
    await new Promise((done) => setTimeout(done, 10));
}

async function reset(
  { reset_after_ms = [], repeat = 1 }: HttpCase,
  port: number,
  bytes: Buffer,
): Promise<string[]> {
  for (const ms of reset_after_ms)
    for (let n = 0; n < repeat; n++)
      await new Promise<void>((done) => {
        const socket = connect({ port, host: '127.0.0.1', noDelay: true });
        socket.on('error', () => {});
        socket.on('close', () => done());
        socket.on('connect', () => {
          socket.write(bytes);
          setTimeout(() => socket.resetAndDestroy(), ms);
        });
      });
  return [];
}

async function alive(served: Served, issuer: Parameters<typeof get>[1]): Promise<string[]> {
  if (served.child.exitCode !== null) return [`the process ended with code ${served.child.exitCode}`];
  return get(served, issuer).then(
    ({ status }) => (status === 200 ? [] : [`the process answers with status ${status}`]),
    (error: Error) => [`the process answers no more: ${error.message}`],
  );
}
