/** Announcements between processes: none is missed without the channel being down. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import pg from 'pg';
import { afterEach, expect, test, vi } from 'vitest';
import type { Change } from '../../src/model/invalidation.ts';
import type { Channel } from '../../src/model/channel.ts';
import { openPostgresChannel } from '../../src/store/postgres-channel.ts';
import { EVERYTHING, read, spell } from '../../src/store/announcements.ts';
import { POSTGRES } from '../support/postgres.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Listening {
  readonly channel: Channel;
  readonly heard: Change[];
  readonly turns: boolean[];
}

function listening(url = POSTGRES): Listening {
  const heard: Change[] = [];
  const turns: boolean[] = [];
  const channel = openPostgresChannel(
    url,
    { received: (change) => void heard.push(change), changed: (isUp) => void turns.push(isUp) },
    { heartbeat: { interval: 20, silence: 200 } },
  );
  closing.push(() => channel.close());
  return { channel, heard, turns };
}

const up = ({ channel }: Listening) => vi.waitFor(() => expect(channel.isUp()).toBe(true), 20_000);
const change: Change = { kind: 'consents', scope: { data_subject: '王"小明\n' } };

test('a change reaches the others, and a trigger of the database can announce one', async () => {
  const [a, b] = [listening(), listening()];
  await up(a);
  await up(b);
  b.heard.length = 0;
  await a.channel.publish(change);
  await vi.waitFor(() => expect(b.heard).toContainEqual(change), 20_000);
  const client = new pg.Client(POSTGRES);
  await client.connect();
  closing.push(() => client.end());
  await client.query(`SELECT pg_notify('sluice_changes', $1)`, ['not JSON']);
  await vi.waitFor(() => expect(b.heard).toEqual(expect.arrayContaining([...EVERYTHING])), 20_000);
});

test('a lost connection: down at once, up again by itself, and then everything may have changed', async () => {
  const a = listening();
  await up(a);
  a.heard.length = 0;
  const client = new pg.Client(POSTGRES);
  await client.connect();
  closing.push(() => client.end());
  await client.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND query LIKE 'NOTIFY sluice_beat_%'",
  );
  await vi.waitFor(() => expect(a.turns).toEqual([true, false, true]), 20_000);
  expect(a.heard).toEqual(expect.arrayContaining([...EVERYTHING]));
});

test('a network that swallows everything: down after the silence, although no connection is closed', async () => {
  const sockets = new Set<Socket>();
  const { hostname, port } = new URL(POSTGRES);
  const wire: Server = createServer((near) => {
    const far = connect(Number(port || 5432), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => to.write(bytes)).on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    wire.close();
  });
  const through = new URL(POSTGRES);
  through.port = String((wire.address() as { port: number }).port);
  const a = listening(through.href);
  await up(a);
  for (const socket of sockets) socket.pause();
  await vi.waitFor(() => expect(a.channel.isUp()).toBe(false), 20_000);
  expect(await a.channel.ready()).toMatchObject({ ok: false });
  a.heard.length = 0;
  for (const socket of sockets) socket.resume();
  await up(a);
  expect(a.heard).toEqual(expect.arrayContaining([...EVERYTHING]));
});

test('a heartbeat that was held up on its way does not make the channel up', async () => {
  const answers: Socket[] = [];
  const { hostname, port } = new URL(POSTGRES);
  const wire: Server = createServer((near) => {
    const far = connect(Number(port || 5432), hostname);
    answers.push(far);
    near.on('error', () => far.destroy()).pipe(far);
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    far.on('data', (bytes) => {
      // After the silence, one more piece comes through, and then the connection ends.
      if (far === answers[0] && isLate) near.end(bytes);
      else near.write(bytes);
    });
  });
  let isLate = false;
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  closing.push(async () => {
    for (const socket of answers) socket.destroy();
    wire.close();
  });
  const through = new URL(POSTGRES);
  through.port = String((wire.address() as { port: number }).port);
  const a = listening(through.href);
  await up(a);
  answers[0]?.pause();
  await vi.waitFor(() => expect(a.channel.isUp()).toBe(false), 20_000);
  isLate = true;
  a.turns.length = 0;
  answers[0]?.resume();
  await vi.waitFor(() => expect(answers).toHaveLength(2), 20_000);
  await up(a);
  expect(a.turns[0]).toBe(false);
});

/** A connection to PostgreSQL through `pass`, which sees each piece and the number of its connection. @returns its URL */
async function wired(
  pass: (from: 'sluice' | 'database', bytes: Buffer, nth: number, on: () => void) => void,
): Promise<{ url: string; near: Socket[] }> {
  const near: Socket[] = [];
  const { hostname, port } = new URL(POSTGRES);
  const wire = createServer((socket) => {
    const nth = near.push(socket);
    const far = connect(Number(port || 5432), hostname);
    socket.on('data', (bytes) => pass('sluice', bytes, nth, () => far.write(bytes)));
    far.on('data', (bytes) => pass('database', bytes, nth, () => socket.write(bytes)));
    socket.on('error', () => undefined).on('close', () => far.destroy());
    far.on('error', () => undefined).on('close', () => socket.destroy());
  });
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  closing.push(async () => {
    for (const socket of near) socket.destroy();
    wire.close();
  });
  const through = new URL(POSTGRES);
  through.port = String((wire.address() as { port: number }).port);
  return { url: through.href, near };
}

test('after a loss it is not up before everything was announced, however short the loss was', async () => {
  const held: (() => void)[] = [];
  const { url, near } = await wired((from, bytes, nth, on) => {
    if (nth === 2 && from === 'database' && (held.length > 0 || bytes.includes('sluice_beat_')))
      held.push(on);
    else on();
  });
  const upWhenHeard: boolean[] = [];
  const channel = openPostgresChannel(
    url,
    { received: () => void upWhenHeard.push(channel.isUp()) },
    { heartbeat: { interval: 20, silence: 60_000 } },
  );
  closing.push(() => channel.close());
  await vi.waitFor(() => expect(channel.isUp()).toBe(true), 20_000);
  near[0]?.destroy();
  await vi.waitFor(() => expect(held).not.toEqual([]), 20_000);
  expect(channel.isUp()).toBe(false);
  upWhenHeard.length = 0;
  for (const on of held) on();
  held.length = 0;
  await vi.waitFor(() => expect(channel.isUp()).toBe(true), 20_000);
  expect(upWhenHeard).toEqual(EVERYTHING.map(() => false));
});

test.each([
  ['connects', 'user'],
  ['listens', 'LISTEN'],
])('closed while it %s and the database does not answer: no connection is left', async (_what, said) => {
  let isHanging = false;
  const { url, near } = await wired((from, bytes, _nth, on) => {
    isHanging ||= from === 'sluice' && bytes.includes(said);
    if (!isHanging) on();
  });
  const channel = openPostgresChannel(url, { received: () => undefined }, { timeout: 200_000 });
  await vi.waitFor(() => expect(isHanging).toBe(true), 20_000);
  await channel.close();
  await vi.waitFor(() => expect(near[0]?.destroyed).toBe(true), 20_000);
});

test('announcements: what was written is read, and what cannot be read is everything', () => {
  for (const scope of ['all', { subject: 'u-1' }, { data_subject: '客户' }, { issuer: 'https://i' }] as const)
    expect(read(spell({ kind: 'revocations', scope }))).toEqual([{ kind: 'revocations', scope }]);
  for (const text of ['', '1', 'null', '{"kind":"unheard of","scope":"all"}', '[]'])
    expect(read(text)).toEqual(EVERYTHING);
  for (const scope of ['{"subject":1}', '{"subject":"a","issuer":"b"}', '{"new":"x"}', 'null'])
    expect(read(`{"kind":"consents","scope":${scope}}`)).toEqual([{ kind: 'consents', scope: 'all' }]);
});
