/**
 * `npm run bench -- mcp [--calls 2000] [--rounds 5] [--json]`
 *
 * Calls of a tool through Sluice, and through a plain Node proxy that passes the bytes of the same server on, as ratios within one run. Rounds
 * alternate between the two, so that changes of the machine concern both. Processor time is that of the process alone, from /proc.
 */
import '../../src/json-parse.ts';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { FLAGS, startSidecar } from '../proxy/setup.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const CALLS = Number(values.calls);
const ROUNDS = Number(values.rounds);
const AT_ONCE = 16;
/** calls before a peer is measured, so that its code is compiled */
const WARM = 8000;

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
/** µs of processor time, of user and kernel */
function used(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS;
}

interface Peer {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly headers: Readonly<Record<string, string>>;
}
interface Measured {
  /** µs a call */
  readonly cpu: number;
  /** ms, of one call at a time */
  readonly alone: number;
  /** ms, of calls at once */
  readonly busy: number;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

async function load({ url, headers }: Peer, calls: number, atOnce: number): Promise<number> {
  const pool = new Pool(new URL(url).origin, { connections: atOnce, pipelining: 1 });
  const times: number[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < calls) {
        const id = ++next;
        const begin = performance.now();
        const { statusCode, body } = await pool.request({
          path: '/mcp',
          method: 'POST',
          headers: {
            accept: 'application/json, text/event-stream',
            'content-type': 'application/json',
            'mcp-protocol-version': '2025-11-25',
            ...headers,
          },
          body: JSON.stringify({
            jsonrpc: '2.0',
            id,
            method: 'tools/call',
            params: { name: 'get_customer', arguments: { customer_id: 'C100001' } },
          }),
        });
        const text = await body.text();
        times.push(performance.now() - begin);
        if (statusCode !== 200 || !text.includes('"structuredContent"'))
          throw new Error(`${url}: ${statusCode} ${text.slice(0, 300)}`);
      }
    }),
  );
  await pool.close();
  return median(times);
}

async function measure(peer: Peer): Promise<Measured> {
  const before = used(peer.pid);
  const busy = await load(peer, CALLS, AT_ONCE);
  const cpu = (used(peer.pid) - before) / CALLS;
  return { cpu, busy, alone: await load(peer, 200, 1) };
}

async function start(...argv: string[]): Promise<{ readonly port: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [...FLAGS, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(createInterface(child.stdout!), 'line')) as [string];
  return { port, child };
}

const rows: object[] = [];
for (const mode of ['json', 'sse']) {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-mcp-'));
  const server = await start(join(import.meta.dirname, 'server.ts'), mode);
  const upstream = `http://127.0.0.1:${server.port}`;
  const plain = await start(join(import.meta.dirname, 'passthrough.ts'), upstream);
  const tool = { resource: 'customer', action: 'read', id: '/customer_id', data_subject: '/customer_id' };
  const sidecar = await startSidecar(dir, upstream, {
    mcp: [{ path: '/mcp', upstream: 'crm', tools: { get_customer: tool } }],
  });
  try {
    const peers: readonly Peer[] = [
      { name: 'pass-through', url: `http://127.0.0.1:${plain.port}`, pid: plain.child.pid!, headers: {} },
      {
        name: 'sluice',
        url: sidecar.url,
        pid: sidecar.pid,
        headers: { authorization: `Bearer ${sidecar.token}`, 'sluice-purpose': 'after_sales' },
      },
    ];
    const rounds = new Map<string, Measured[]>(peers.map(({ name }) => [name, []]));
    for (const peer of peers) await load(peer, WARM, AT_ONCE);
    for (let round = 0; round < ROUNDS; round++)
      for (const peer of peers) rounds.get(peer.name)!.push(await measure(peer));
    const [base, ours] = peers.map(({ name }) => rounds.get(name)!) as [Measured[], Measured[]];
    const row = (what: keyof Measured) => ({
      'pass-through': Number(median(base.map((m) => m[what])).toFixed(2)),
      sluice: Number(median(ours.map((m) => m[what])).toFixed(2)),
      // Of each round by itself, since the machine changes between rounds.
      ratio: Number(median(ours.map((m, i) => m[what] / base[i]![what])).toFixed(2)),
    });
    rows.push({ server: mode, what: 'CPU µs a call', ...row('cpu') });
    rows.push({ server: mode, what: 'p50 ms, one at a time', ...row('alone') });
    rows.push({ server: mode, what: `p50 ms, ${AT_ONCE} at once`, ...row('busy') });
  } finally {
    await sidecar.stop();
    for (const { child } of [server, plain]) child.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}
if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
else console.table(rows);
