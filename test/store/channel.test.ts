/** Announcements between processes: none is missed without the channel being down. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Change } from '../../src/model/invalidation.ts';
import type { Channel, ChannelEvents } from '../../src/model/channel.ts';
import { openHints } from '../../src/store/hints.ts';
import { migrate } from '../../src/store/migrations.ts';
import { ANNOUNCEMENT_MIGRATIONS } from '../../src/store/outbox.ts';
import { openOutboxChannel } from '../../src/store/outbox-channel.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openPostgresChannel } from '../../src/store/postgres-channel.ts';
import { EVERYTHING, read } from '../../src/store/announcements.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { REDIS } from '../support/redis.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let schema: Awaited<ReturnType<typeof freshSchema>>;
beforeAll(async () => {
  schema = await freshSchema('channel');
  const database = openPostgres(POSTGRES, { schema: schema.schema });
  await migrate(database, ANNOUNCEMENT_MIGRATIONS, () => new Date());
  await database.close();
});
afterAll(() => schema.drop());

const HEARTBEAT = { interval: 20, silence: 200 };

const OPEN: Readonly<Record<string, (url: string, events: ChannelEvents) => Channel>> = {
  LISTEN: (url, events) => openPostgresChannel(url, events, { heartbeat: HEARTBEAT }),
  'the table, with hints through Redis': (url, events) =>
    openOutboxChannel(
      openPostgres(url, { schema: schema.schema, connections: 1, timeout: HEARTBEAT.silence }),
      openHints(REDIS),
      events,
      { heartbeat: HEARTBEAT },
    ),
};

interface Listening {
  readonly channel: Channel;
  readonly heard: Change[];
  readonly turns: boolean[];
}

function listening(url = POSTGRES, open = OPEN['LISTEN']!): Listening {
  const heard: Change[] = [];
  const turns: boolean[] = [];
  const channel = open(url, {
    received: (change) => void heard.push(change),
    changed: (isUp) => void turns.push(isUp),
  });
  closing.push(() => channel.close());
  return { channel, heard, turns };
}

const up = ({ channel }: Listening) => vi.waitFor(() => expect(channel.isUp()).toBe(true), 20_000);
const about = (name: string): Change => ({ kind: 'consents', scope: { data_subject: name } });

/** As a trigger announces it. */
async function announce(...names: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: POSTGRES, options: `-c search_path=${schema.schema}` });
  await client.connect();
  await client.query("SELECT sluice_announce('consents', 'data_subject', $1)", [names]);
  await client.end();
}

/** That the caches of this process are told of the change, by its name or with all others. */
const told = (heard: readonly Change[], name: string): boolean =>
  [about(name), EVERYTHING[0]!].some((change) =>
    heard.some((h) => JSON.stringify(h) === JSON.stringify(change)),
  );

describe.each(Object.keys(OPEN))('a channel by %s', (name) => {
  const open = OPEN[name]!;

  test('a change reaches the others', async () => {
    const [a, b] = [listening(POSTGRES, open), listening(POSTGRES, open)];
    await up(a);
    await up(b);
    const who = '王"小明\n';
    await announce(who);
    await vi.waitFor(() => expect(a.heard).toContainEqual(about(who)), 20_000);
    await vi.waitFor(() => expect(b.heard).toContainEqual(about(who)), 20_000);
    expect(await a.channel.ready()).toEqual({ ok: true });
  });

  test('at the start it is not up before everything was announced', async () => {
    const upWhenHeard: boolean[] = [];
    const channel = open(POSTGRES, { received: () => void upWhenHeard.push(channel.isUp()) });
    closing.push(() => channel.close());
    await vi.waitFor(() => expect(channel.isUp()).toBe(true), 20_000);
    expect(upWhenHeard.slice(0, EVERYTHING.length)).toEqual(EVERYTHING.map(() => false));
  });

  test('connections that are cut: up again by itself, and what was announced meanwhile is heard before', async () => {
    const { url, near } = await wired((_from, _bytes, _nth, on) => {
      if (!isCut) on();
    });
    let isCut = false;
    const a = listening(url, open);
    await up(a);
    isCut = true;
    for (const socket of near) socket.destroy();
    await vi.waitFor(() => expect(a.turns).toEqual([true, false]), 20_000);
    expect(a.channel.isUp()).toBe(false);
    expect(await a.channel.ready()).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^announcements/),
    });
    await announce('meanwhile');
    a.heard.length = 0;
    isCut = false;
    await vi.waitFor(() => expect(a.turns).toEqual([true, false, true]), 20_000);
    expect(told(a.heard, 'meanwhile')).toBe(true);
  });

  test('a network that swallows everything: down after the silence, although no connection is closed', async () => {
    let isSwallowed = false;
    const held: (() => void)[] = [];
    const { url } = await wired((_from, _bytes, _nth, on) => {
      if (isSwallowed) held.push(on);
      else on();
    });
    const a = listening(url, open);
    await up(a);
    isSwallowed = true;
    await vi.waitFor(() => expect(a.channel.isUp()).toBe(false), 20_000);
    expect(await a.channel.ready()).toMatchObject({ ok: false });
    await announce('swallowed');
    a.heard.length = 0;
    isSwallowed = false;
    for (const on of held) on();
    await up(a);
    expect(told(a.heard, 'swallowed')).toBe(true);
  });
});

test('LISTEN: an announcement that cannot be read means everything', async () => {
  const a = listening();
  await up(a);
  a.heard.length = 0;
  const client = new pg.Client(POSTGRES);
  await client.connect();
  closing.push(() => client.end());
  await client.query(`SELECT pg_notify('sluice_changes', $1)`, ['not JSON']);
  await vi.waitFor(() => expect(a.heard).toEqual(expect.arrayContaining([...EVERYTHING])), 20_000);
});

test('LISTEN: a lost connection is noticed at once, and afterwards everything may have changed', async () => {
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
  // Other tests announce in the same database, too.
  expect(upWhenHeard.slice(0, EVERYTHING.length)).toEqual(EVERYTHING.map(() => false));
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
    expect(read(JSON.stringify({ kind: 'revocations', scope }))).toEqual([{ kind: 'revocations', scope }]);
  for (const text of ['', '1', 'null', '{"kind":"unheard of","scope":"all"}', '[]'])
    expect(read(text)).toEqual(EVERYTHING);
  for (const scope of ['{"subject":1}', '{"subject":"a","issuer":"b"}', '{"new":"x"}', 'null'])
    expect(read(`{"kind":"consents","scope":${scope}}`)).toEqual([{ kind: 'consents', scope: 'all' }]);
});
