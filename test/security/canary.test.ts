/**
 * Design §7.1: every value of an upstream's answer, header and trailer is a token that stands nowhere else. Whatever the catalog, the
 * policy's answer, the shape of the data, the status, the coding and the pieces it arrives in: no withheld token is in any byte that the
 * caller gets, and none at all in logs, metrics or the journal. What is not withheld arrives, or the property would say nothing.
 */
import {
  brotliCompressSync,
  brotliDecompressSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunks, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { headerOf, requestText, Wire } from '../support/wire.ts';

const SEED = 20261122;
const WORLDS = 60;
const RUNS = Number(process.env['CANARY_RUNS'] ?? 300);

/** What a catalog knows, as a tree; `leaf` is a class, `whole` whether its line covers objects. */
type Shape =
  | { readonly leaf: string; readonly whole: boolean }
  | { readonly object: { readonly [name: string]: Shape } }
  | { readonly list: Shape }
  | { readonly embedded: World };
interface World {
  readonly root: { readonly [name: string]: Shape };
  /** class → treatment; a class that is not named is dropped */
  readonly classes: { readonly [cls: string]: string };
  /** by pointer, picked by number from the pointers there are */
  readonly overrides: readonly (readonly [number, string])[];
}

const CLASSES = ['a/1', 'a/3', 'b/2', 'b/4', 'c/5'];
const treatment = fc.constantFrom(
  'disclose',
  'disclose',
  'disclose',
  'drop',
  'mask',
  'nullify',
  'generalize',
);
const name = fc.constantFrom(
  'n0',
  'n1',
  'n2',
  'n3',
  'a b',
  'ü',
  'x/y',
  'x~y',
  '0',
  '__proto__x',
  'constructor',
);
const worldOf = (embedding: boolean): fc.Arbitrary<World> => {
  const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
    shape: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      fc.record({ leaf: fc.constantFrom(...CLASSES), whole: fc.boolean() }),
      fc.dictionary(name, tie('shape'), { minKeys: 1, maxKeys: 3 }).map((object) => ({ object })),
      tie('shape').map((list) => ({ list })),
      ...(embedding ? [worldOf(false).map((embedded) => ({ embedded }))] : []),
    ),
  }));
  return fc.record({
    root: fc.dictionary(name, shape, { minKeys: 1, maxKeys: 5 }),
    classes: fc.dictionary(fc.constantFrom(...CLASSES), treatment, { maxKeys: 5 }),
    overrides: fc.array(fc.tuple(fc.nat(20), treatment), { maxLength: 2 }),
  });
};

const escaped = (token: string): string => token.replaceAll('~', '~0').replaceAll('/', '~1');

/** The catalogs and answers of a world and of those embedded in it, by resource. */
interface Compiled {
  readonly resource: string;
  readonly catalogs: Record<string, object>;
  readonly answers: Record<string, { '*': object }>;
  /** pointer → what is done there, of the outer resource */
  readonly treatments: ReadonlyMap<string, string>;
  readonly inner: ReadonlyMap<Shape, Compiled>;
}

function compile(world: World, resource: string): Compiled {
  const fields: Record<string, object> = { '/id': { category: 'a', grade: 1 } };
  const inner = new Map<Shape, Compiled>();
  const classes = new Map<string, string>([['/id', 'a/1']]);
  const walk = (shape: Shape, pointer: string): void => {
    if ('leaf' in shape) {
      const [category, grade] = shape.leaf.split('/');
      fields[pointer] = { category, grade: Number(grade), whole: shape.whole };
      classes.set(pointer, shape.leaf);
    } else if ('object' in shape)
      for (const [key, child] of Object.entries(shape.object)) walk(child, `${pointer}/${escaped(key)}`);
    else if ('list' in shape) walk(shape.list, `${pointer}/*`);
    else {
      const compiled = compile(shape.embedded, `${resource}e${inner.size}`);
      inner.set(shape, compiled);
      fields[pointer] = { resource: compiled.resource };
    }
  };
  for (const [key, shape] of Object.entries(world.root)) walk(shape, `/${escaped(key)}`);
  const treatments = new Map<string, string>();
  for (const [pointer, cls] of classes) treatments.set(pointer, world.classes[cls] ?? 'drop');
  const own = [...classes.keys()];
  const overrides: Record<string, object> = {};
  for (const [n, done] of world.overrides) {
    const pointer = own[n % own.length]!;
    overrides[pointer] = { do: done, because: 'override' };
    treatments.set(pointer, done);
  }
  const below = [...inner.values()];
  return {
    resource,
    treatments,
    inner,
    catalogs: Object.assign(
      {
        [resource]: {
          data_subject: ['/id'],
          attributes: {},
          fields,
          envelope: { '/items': { is: 'records' }, '/next': { is: 'link' } },
        },
      },
      ...below.map((c) => c.catalogs),
    ) as Record<string, object>,
    answers: Object.assign(
      {
        [resource]: {
          '*': {
            disclose: true,
            reasons: [],
            classes: Object.fromEntries(
              Object.entries(world.classes).map(([c, d]) => [c, { do: d, because: 'by_class' }]),
            ),
            fields: overrides,
          },
        },
      },
      ...below.map((c) => c.answers),
    ) as Record<string, { '*': object }>,
  };
}

const worlds = fc.sample(worldOf(true), { numRuns: WORLDS, seed: SEED });
const compiled = worlds.map((world, i) => compile(world, `w${i}`));

/** Numbers from a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

let serial = 0;
/** stands nowhere else, and is no part of another */
const token = (): string => `tok${(serial++).toString(36).padStart(6, '0')}z`;
const numberToken = (): string => `7${String(serial++).padStart(9, '0')}7.50`;

/** Writes JSON by hand, so that every value's spelling and fate are known. */
class Writer {
  readonly free: string[] = [];
  readonly withheld: string[] = [];
  readonly #next: () => number;
  constructor(next: () => number) {
    this.#next = next;
  }

  record(world: World, c: Compiled, hidden: boolean): string {
    const restricted = this.#next() < 0.2;
    const id = restricted ? 'restricted' : token();
    const away = hidden || restricted;
    if (!restricted) this.#note(id, away || c.treatments.get('/id') !== 'disclose');
    const members = [`"id":"${id}"`];
    for (const [key, shape] of Object.entries(world.root)) {
      if (this.#next() < 0.15) continue;
      members.push(`${this.#key(key)}:${this.#value(shape, `/${escaped(key)}`, c, away)}`);
    }
    if (this.#next() < 0.4) members.push(`"unknown":${this.#anything(true)}`);
    if (this.#next() < 0.2) members.push(`"${this.#secretKey()}":${this.#anything(true)}`);
    return `{${members.join(this.#next() < 0.5 ? ',' : ' ,\n ')}}`;
  }

  /** any value; all of it withheld, or not, or unless an object has it */
  #anything(away: boolean, whole = true, depth = 0): string {
    const kind = this.#next();
    if (depth < 3 && kind < 0.15)
      return `[${this.#anything(away, whole, depth + 1)},${this.#anything(away, whole, depth + 1)}]`;
    if (depth < 3 && kind < 0.3) return `{"k":${this.#anything(away || !whole, whole, depth + 1)}}`;
    return this.#scalar(away);
  }

  #scalar(away: boolean): string {
    const kind = this.#next();
    if (kind < 0.05) return ['true', 'false', 'null', '""'][Math.floor(this.#next() * 4)]!;
    const text = kind < 0.25 ? numberToken() : token();
    this.#note(text, away);
    return kind < 0.25 ? text : `"${text}"`;
  }

  #value(shape: Shape, pointer: string, c: Compiled, away: boolean): string {
    // What stands where something else was meant is nobody's field.
    if (!('leaf' in shape) && this.#next() < 0.08) return this.#scalar(true);
    if ('object' in shape) {
      const members = Object.entries(shape.object).map(
        ([key, child]) => `${this.#key(key)}:${this.#value(child, `${pointer}/${escaped(key)}`, c, away)}`,
      );
      if (this.#next() < 0.3) members.push(`"unknown":${this.#anything(true)}`);
      return `{${members.join(',')}}`;
    }
    if ('list' in shape) {
      const length = Math.floor(this.#next() * 4);
      return `[${Array.from({ length }, () => this.#value(shape.list, `${pointer}/*`, c, away)).join(', ')}]`;
    }
    if ('embedded' in shape) return this.record(shape.embedded, c.inner.get(shape)!, away);
    return this.#anything(away || c.treatments.get(pointer) !== 'disclose', shape.whole);
  }

  #key(key: string): string {
    // The same name in escapes is the same name.
    if (this.#next() < 0.9) return JSON.stringify(key);
    return `"${[...key].map((ch) => `\\u${ch.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
  }

  #secretKey(): string {
    const key = `key${token()}`;
    this.withheld.push(key);
    return key;
  }

  #note(text: string, away: boolean): void {
    (away ? this.withheld : this.free).push(text);
  }
}

/** A record as the data of an event, with texts of the upstream everywhere else. */
function eventOf(record: string, extra: () => string, next: () => number): string {
  const end = ['\n', '\r', '\r\n'][Math.floor(next() * 3)]!;
  const lines = [
    `: ${extra()}`,
    ...record.split('\n').map((line) => `data: ${line}`),
    `id: ${extra()}`,
    `${extra()}: ${extra()}`,
    extra(),
  ];
  const other = [`event: ${extra()}`, `data: "${extra()}"`, ''];
  return [...lines, '', ...(next() < 0.5 ? other : []), `: ${extra()}`, '']
    .map((line) => line + end)
    .join('');
}

const CODECS = {
  identity: { encode: (b: Buffer) => b, decode: (b: Buffer) => b },
  gzip: { encode: gzipSync, decode: gunzipSync },
  br: { encode: brotliCompressSync, decode: brotliDecompressSync },
  zstd: { encode: zstdCompressSync, decode: zstdDecompressSync },
} as const;
type Coding = keyof typeof CODECS;

let upstream: HostileUpstream;
let running: Running;
const tokens: string[] = [];
let arrived = 0;

beforeAll(async () => {
  upstream = await startHostile();
  const shared = { upstream: 'crm' };
  running = await startSluice({
    upstream: upstream.url,
    crm: { timeout: '2s' },
    catalogs: Object.assign({}, ...compiled.map((c) => c.catalogs)) as Record<string, object>,
    answers: Object.assign({}, ...compiled.map((c) => c.answers)) as Record<string, Record<string, object>>,
    dataSubjects: { restricted: { flags: ['restricted'] } },
    routes: compiled.flatMap(({ resource }) => [
      { ...shared, match: `GET /one/${resource}`, resource, action: 'read' },
      { ...shared, match: `GET /list/${resource}`, resource, action: 'search', records: '/items/*' },
      { ...shared, match: `GET /bare/${resource}`, resource, action: 'search', records: '/*' },
      {
        ...shared,
        match: `GET /events/${resource}`,
        resource,
        action: 'search',
        response: { format: 'sse' },
      },
    ]),
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

interface Run {
  readonly world: number;
  readonly seed: number;
  readonly form: 'one' | 'list' | 'bare' | 'events';
  readonly status: number;
  readonly coding: Coding;
  readonly accept: Coding;
  readonly framing: 'length' | 'chunks' | 'close';
  readonly cuts: readonly number[];
  /** the answer ends in the middle */
  readonly broken: boolean;
}

async function check(run: Run): Promise<void> {
  const next = random(run.seed);
  const writer = new Writer(next);
  const world = worlds[run.world]!;
  const c = compiled[run.world]!;
  const always: string[] = [];
  const extra = (): string => {
    const text = token();
    always.push(text);
    return text;
  };
  const records = Array.from({ length: run.form === 'one' ? 1 : Math.floor(next() * 4) }, () =>
    writer.record(world, c, false),
  );
  const text =
    run.form === 'one'
      ? records[0]!
      : run.form === 'bare'
        ? `[${records.join(',')}]`
        : run.form === 'events'
          ? records.map((record) => eventOf(record, extra, next)).join('')
          : `{"note":"${extra()}","items":[${records.join(',')}],"next":"/x?after=${extra()}","more":{"a":["${extra()}"]}}`;
  const whole = CODECS[run.coding].encode(Buffer.from(text));
  const body = run.broken ? whole.subarray(0, Math.floor(whole.length / 2)) : whole;
  const fields = [
    `Content-Type: ${run.form === 'events' ? 'text/event-stream' : 'application/json'}; profile="${extra()}"`,
    `Set-Cookie: s=${extra()}`,
    `Server: ${extra()}`,
    `ETag: "${extra()}"`,
    `Link: </${extra()}>; rel=next`,
    `Location: /${extra()}`,
    `X-Total-Count: ${extra()}`,
    `Content-Disposition: attachment; filename="${extra()}"`,
    `Content-Language: ${extra()}`,
    `X-${extra()}: ${extra()}`,
    ...(run.coding === 'identity' ? [] : [`Content-Encoding: ${run.coding}`]),
    run.framing === 'chunks'
      ? 'Transfer-Encoding: chunked'
      : run.framing === 'length'
        ? `Content-Length: ${body.length}`
        : 'Connection: close',
  ];
  const bytes = Buffer.concat([
    Buffer.from(`HTTP/1.1 ${run.status} ${extra()}\r\n${fields.join('\r\n')}\r\n\r\n`),
    run.framing === 'chunks' ? chunks(body, run.cuts, `X-T: ${extra()}\r\nETag: ${extra()}\r\n`) : body,
  ]);
  upstream.answer = (_request, socket) => {
    let at = 0;
    const cuts = [...run.cuts];
    const feed = (): void => {
      const size = cuts.length > 0 ? cuts.shift()! + 1 : bytes.length;
      socket.write(bytes.subarray(at, at + size));
      at += size;
      if (at < bytes.length) setImmediate(feed);
      else if (run.framing === 'close') socket.end();
    };
    feed();
  };
  const wire = await Wire.open(running.port);
  wire.write(
    requestText(`GET /${run.form}/${c.resource}`, { ...running.caller, 'Accept-Encoding': run.accept }),
  );
  const answer = await wire.answer();
  const raw = Buffer.concat([Buffer.from(answer.head, 'latin1'), answer.body, Buffer.from(answer.trailers)]);
  const coding = (headerOf(answer, 'content-encoding') ?? 'identity') as Coding;
  const plain = CODECS[coding].decode(Buffer.from(answer.body)).toString('utf8');
  wire.destroy();

  const failed = answer.status >= 300;
  const withheld = [...always, ...writer.withheld, ...(failed ? writer.free : [])];
  const seen = `${raw.toString('latin1')}\n${plain}`;
  expect(withheld.filter((t) => seen.includes(t))).toEqual([]);
  tokens.push(...always, ...writer.withheld.filter((t) => !t.startsWith('key')), ...writer.free);
  if (run.status === 200 && !run.broken && !failed) {
    expect(writer.free.filter((t) => !plain.includes(t))).toEqual([]);
    const isCoded = run.coding !== 'identity' && run.form !== 'events';
    expect(coding).toBe(isCoded ? run.accept : 'identity');
    arrived += writer.free.length;
  }
  if (run.status !== 200) expect(failed).toBe(true);
}

const runs: fc.Arbitrary<Run> = fc.record({
  world: fc.nat(WORLDS - 1),
  seed: fc.integer(),
  form: fc.constantFrom('one' as const, 'list' as const, 'bare' as const, 'events' as const),
  status: fc.oneof(
    { weight: 8, arbitrary: fc.constant(200) },
    { weight: 1, arbitrary: fc.constantFrom(206, 302, 400, 404, 500, 503) },
  ),
  coding: fc.constantFrom<Coding>('identity', 'identity', 'gzip', 'br', 'zstd'),
  accept: fc.constantFrom<Coding>('identity', 'gzip', 'br', 'zstd'),
  framing: fc.constantFrom('length' as const, 'chunks' as const, 'close' as const),
  cuts: fc.array(fc.nat(60), { maxLength: 30 }),
  broken: fc
    .boolean()
    .chain((b) => (b ? fc.boolean() : fc.constant(false)))
    .chain((b) => (b ? fc.boolean() : fc.constant(false))),
});

test('no withheld token reaches the caller', async () => {
  await fc.assert(fc.asyncProperty(runs, check), { numRuns: RUNS, seed: SEED, endOnFailure: true });
  // Enough was disclosed for the property to mean something.
  expect(arrived).toBeGreaterThan(RUNS);
});

test('no token at all is in the logs, the metrics or the journal', async () => {
  expect(tokens.length).toBeGreaterThan(RUNS * 10);
  const metrics = (await running.admin('/metrics')).text + (await running.admin('/readyz')).text;
  // Tokens of one form, so that one pass finds any of them; names of unknown members are names (`key…`), and are in the journal.
  const found = (text: string): string[] =>
    [...text.matchAll(/(key)?tok[0-9a-z]{6}z|7\d{9}7\.50/g)].flatMap((m) => (m[1] ? [] : [m[0]]));
  expect(found(running.log())).toEqual([]);
  expect(found(metrics)).toEqual([]);
  expect(found(running.journalText())).toEqual([]);
});
