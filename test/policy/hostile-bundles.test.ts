/**
 * Bundles that are broken, or made to do harm, from a URL: each is refused by its code at a start, and leaves the last good
 * policy where there is one. Modules are made of a good one, so that they fail where they are meant to.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { readArchive, writeArchive } from '../../src/policy/bundle/archive.ts';
import { type PolicyBundle, writeBundle } from '../../src/policy/bundle/bundle.ts';
import type { PolicyConfig } from '../../src/policy/settings.ts';
import { createPolicyStore, type LivePolicyStore } from '../../src/policy/store.ts';
import {
  bodiesOf,
  concat,
  count,
  functionNamesOf,
  importsOf,
  leb,
  SECTION,
  sectionsOf,
} from '../../src/rego/wasm/format.ts';
import { fixture, inputFor, opa, rejection } from './support.ts';

const SIGNING = { keys: { k: { algorithm: 'HS256' as const, key: 'a secret of the test' } } };
const KEY = { kid: 'k', algorithm: 'HS256' as const, key: SIGNING.keys.k.key };

let good: PolicyBundle;
let served: Uint8Array;
let url: string;
const server = createServer((_req, res) => void res.end(served));
const open: LivePolicyStore[] = [];

beforeAll(async () => {
  good = await fixture();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/b.tar.gz`;
});
afterEach(async () => {
  for (const s of open.splice(0)) await s.close();
});
afterAll(() => new Promise((done) => server.close(done)));

const store = async (config: Partial<PolicyConfig> = {}): Promise<LivePolicyStore> => {
  const s = await createPolicyStore(
    { url, ...config },
    { logger: silentLogger, clock: systemClock, baseDir: '/', opa },
  );
  open.push(s);
  return s;
};

type Entry = readonly [Partial<Header> & { name: string }, (string | Uint8Array)?];
const tarOf = async (...entries: readonly Entry[]): Promise<Buffer> => {
  const tar = pack();
  for (const [header, content] of entries) tar.entry(header, Buffer.from((content ?? '') as string));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const c of tar as AsyncIterable<Buffer>) chunks.push(c);
  return Buffer.concat(chunks);
};
const archive = async (...entries: readonly Entry[]): Promise<Buffer> => gzipSync(await tarOf(...entries));

const wasmOnly = (wasm: Uint8Array): Promise<Buffer> => archive([{ name: '/policy.wasm' }, wasm]);

/** a module with other sections: null leaves one out, one that was not there comes where its number says */
const withSections = (changed: { readonly [id: number]: Uint8Array | null }): Uint8Array => {
  const { wasm } = good;
  const section = (id: number, bytes: Uint8Array): Uint8Array[] => [
    Uint8Array.from([id, ...leb(bytes.length)]),
    bytes,
  ];
  const left = new Map(Object.entries(changed).map(([id, bytes]) => [Number(id), bytes]));
  const out: Uint8Array[] = [wasm.subarray(0, 8)];
  for (const s of sectionsOf(wasm)) {
    if (s.id !== 0)
      for (const [id, bytes] of left)
        if (id !== 0 && id < s.id && bytes !== null) {
          out.push(...section(id, bytes));
          left.delete(id);
        }
    const bytes = left.get(s.id);
    if (bytes === undefined) out.push(...section(s.id, wasm.subarray(s.start, s.end)));
    else if (bytes !== null) out.push(...section(s.id, bytes));
    if (s.id !== 0) left.delete(s.id);
  }
  return concat(out);
};

const section = (id: number): Uint8Array => {
  const s = sectionsOf(good.wasm).find((one) => one.id === id)!;
  return good.wasm.subarray(s.start, s.end);
};

/** with another body for a function */
const withBody = (name: string, body: readonly number[]): Uint8Array => {
  const { wasm } = good;
  const sections = sectionsOf(wasm);
  const imports = importsOf(
    wasm,
    sections.find((s) => s.id === SECTION.import),
  ).functions.length;
  const bodies = bodiesOf(wasm, sections.find((s) => s.id === SECTION.code)!);
  const index = functionNamesOf(wasm, sections).get(name);
  expect(index, name).toBeDefined();
  bodies[index! - imports] = Uint8Array.from(body);
  return withSections({
    [SECTION.code]: concat([
      Uint8Array.from(leb(bodies.length)),
      ...bodies.flatMap((b) => [Uint8Array.from(leb(b.length)), b]),
    ]),
  });
};

/** the same bytes, but for a name of the same length */
const renamed = (from: string, to: string): Uint8Array => {
  expect(to.length).toBe(from.length);
  const bytes = Buffer.from(good.wasm);
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at)) bytes.write(to, at);
  return bytes;
};

const LOOP = [0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x00, 0x0b];
const GROW = [0, 0x03, 0x40, 0x41, 1, 0x40, 0, 0x1a, 0x0c, 0, 0x0b, 0x00, 0x0b];
const answering = (n: readonly number[]): number[] => [0, 0x41, ...n, 0x0b];
const MINUS_ONE = [0x7f];
const START = 8;

const memoryImport = (least: number): Uint8Array => {
  const bytes = Buffer.from(section(SECTION.import));
  // "memory", kind 2, flags, least
  const at = bytes.indexOf('memory') + 6;
  expect(bytes[at]).toBe(2);
  let end = at + 2;
  while (bytes[end]! >= 0x80) end += 1;
  return concat([bytes.subarray(0, at + 2), Uint8Array.from(leb(least)), bytes.subarray(end + 1)]);
};

const signed = async (change: (files: Map<string, Uint8Array>) => void): Promise<Buffer> => {
  const files = new Map(await readArchive(await writeBundle(good, KEY), 'b'));
  change(files);
  return writeArchive(files);
};

const codes = (...all: string[]): string[] => all;

type Case = readonly [
  bytes: () => Uint8Array | Promise<Uint8Array>,
  codes: readonly string[],
  config?: Partial<PolicyConfig>,
];

const BROKEN: { readonly [name: string]: Case } = {
  'is empty': [() => Buffer.alloc(0), codes('bundle_truncated')],
  'is a page of HTML': [() => Buffer.from('<html>sign in</html>'), codes('bundle_malformed')],
  'is cut off': [async () => (await writeBundle(good)).subarray(0, 5000), codes('bundle_truncated')],
  'is an archive that is cut off, packed whole': [
    async () => gzipSync((await tarOf([{ name: '/policy.wasm' }, good.wasm])).subarray(0, 5000)),
    codes('bundle_truncated', 'bundle_malformed'),
  ],
  'has a wrong checksum of its packing': [
    async () => {
      const bytes = await writeBundle(good);
      bytes.writeUInt32LE(1, bytes.length - 8);
      return bytes;
    },
    codes('bundle_malformed', 'bundle_truncated'),
  ],
  'expands to much more than it is': [
    () => archive([{ name: '/data.json' }, Buffer.alloc(64 * 1024 * 1024, 0x20)]),
    codes('bundle_too_large'),
  ],
  'has more files than a policy': [
    () => archive(...Array.from({ length: 10_001 }, (_, i): Entry => [{ name: `/f${i}` }])),
    codes('bundle_too_large'),
  ],
  'is larger than allowed': [
    () => writeBundle(good),
    codes('bundle_too_large'),
    { limits: { bundle_bytes: 1000 } },
  ],
  'has a path out of it': [
    () => archive([{ name: '/policy.wasm' }, good.wasm], [{ name: '../../etc/cron.d/x' }, 'x']),
    codes('bundle_path_refused'),
  ],
  'has a symbolic link': [
    () => archive([{ name: '/policy.wasm', type: 'symlink', linkname: '/etc/passwd' }]),
    codes('bundle_path_refused'),
  ],
  'has a device': [
    () => archive([{ name: '/data.json', type: 'block-device' }]),
    codes('bundle_path_refused'),
  ],
  'has a file twice': [
    () => archive([{ name: '/policy.wasm' }, good.wasm], [{ name: 'policy.wasm' }, good.wasm]),
    codes('bundle_malformed'),
  ],
  'has a manifest that is no JSON': [
    () => archive([{ name: '/policy.wasm' }, good.wasm], [{ name: '/.manifest' }, '{']),
    codes('bundle_malformed'),
  ],
  'has roots within each other': [
    () => archive([{ name: '/policy.wasm' }, good.wasm], [{ name: '/.manifest' }, '{"roots":["a","a/b"]}']),
    codes('bundle_roots_overlap'),
  ],
  'has data that are no JSON': [
    () => archive([{ name: '/policy.wasm' }, good.wasm], [{ name: '/data.json' }, '{"a":']),
    codes('bundle_malformed', 'policy_data_invalid'),
  ],
  'has data that are nested without end': [
    () =>
      archive(
        [{ name: '/policy.wasm' }, good.wasm],
        [{ name: '/data.json' }, `{"roles":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
      ),
    codes('bundle_malformed', 'policy_data_invalid'),
  ],
  'has no module': [() => archive([{ name: '/data.json' }, '{}']), codes('bundle_malformed')],
  'has a module that is none': [() => wasmOnly(Buffer.from('hello')), codes('bundle_malformed')],
  'has a module that is cut off': [() => wasmOnly(good.wasm.subarray(0, 50_000)), codes('bundle_malformed')],
  'has a module without anything': [
    () => wasmOnly(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])),
    codes('bundle_abi_unsupported', 'bundle_malformed'),
  ],
  'has a module of another ABI': [
    () => wasmOnly(renamed('opa_wasm_abi_version', 'opa_wasm_abi_versioX')),
    codes('bundle_abi_unsupported'),
  ],
  'has a module without names': [
    () => {
      const named = sectionsOf(good.wasm).filter((s) => s.id !== 0);
      return wasmOnly(
        concat([
          good.wasm.subarray(0, 8),
          ...named.flatMap((s) => [
            Uint8Array.from([s.id, ...leb(s.end - s.start)]),
            good.wasm.subarray(s.start, s.end),
          ]),
        ]),
      );
    },
    codes('bundle_abi_unsupported'),
  ],
  'has a module that names another function for the one that iterates': [
    () => wasmOnly(renamed('opa_value_iter', 'opa_value_Iter')),
    codes('bundle_abi_unsupported'),
  ],
  'has a module that wants functions of a foreign host': [
    () => wasmOnly(renamed('opa_abort', 'fd_writes')),
    codes('bundle_abi_unsupported'),
  ],
  'has a module without our entrypoints': [
    () => wasmOnly(renamed('sluice/decision', 'foreign/unknown')),
    codes('bundle_entrypoint_missing'),
  ],
  'has a module that lists no entrypoints': [
    () => wasmOnly(withBody('entrypoints', answering(MINUS_ONE))),
    codes('bundle_abi_unsupported'),
  ],
  'has a module that does not end its start': [
    () => {
      const sections = sectionsOf(good.wasm);
      const code = sections.find((s) => s.id === SECTION.code)!;
      const imports = importsOf(
        good.wasm,
        sections.find((s) => s.id === SECTION.import),
      ).functions.length;
      const bodies = bodiesOf(good.wasm, code);
      const types = section(SECTION.type);
      const functions = section(SECTION.function);
      const more = (bytes: Uint8Array, entry: readonly number[]): Uint8Array => {
        const many = count(bytes, { id: 0, start: 0, end: bytes.length });
        return concat([
          Uint8Array.from(leb(many + 1)),
          bytes.subarray(leb(many).length),
          Uint8Array.from(entry),
        ]);
      };
      const type = count(types, { id: 0, start: 0, end: types.length });
      return wasmOnly(
        withSections({
          [SECTION.type]: more(types, [0x60, 0, 0]),
          [SECTION.function]: more(functions, leb(type)),
          [START]: Uint8Array.from(leb(imports + bodies.length)),
          [SECTION.code]: more(section(SECTION.code), [LOOP.length, ...LOOP]),
        }),
      );
    },
    codes('bundle_malformed'),
  ],
  'has a module that reads its data without end': [
    () => wasmOnly(withBody('opa_json_parse', LOOP)),
    codes('bundle_malformed'),
  ],
  'has a module that grows without end while it reads its data': [
    () => wasmOnly(withBody('opa_json_parse', GROW)),
    codes('bundle_malformed', 'policy_memory_exceeded'),
  ],
  'has a module that asks for four gigabytes': [
    () => wasmOnly(withSections({ [SECTION.import]: memoryImport(65_536) })),
    codes('policy_memory_exceeded'),
  ],
  'has a module with a memory of its own': [
    () => wasmOnly(withSections({ 5: Uint8Array.from([1, 0, ...leb(60_000)]) })),
    codes('bundle_malformed'),
  ],
  'has a module with a table of nine million elements': [
    () => wasmOnly(withSections({ [SECTION.table]: Uint8Array.from([1, 0x70, 0, ...leb(9_000_000)]) })),
    codes('bundle_malformed'),
  ],
  'has a module whose addresses lie outside its memory': [
    () => wasmOnly(withBody('opa_malloc', answering(MINUS_ONE))),
    codes('bundle_abi_unsupported', 'policy_data_invalid', 'policy_memory_exceeded', 'bundle_malformed'),
  ],
  'is not signed, where it has to be': [
    () => writeBundle(good),
    codes('bundle_unsigned'),
    { signing: SIGNING },
  ],
  'is signed with a key that nobody gave out': [
    () => writeBundle(good, { ...KEY, key: 'another secret' }),
    codes('bundle_signature_invalid'),
    { signing: SIGNING },
  ],
  'is signed with a key of another name': [
    () => writeBundle(good, { ...KEY, kid: 'other' }),
    codes('bundle_key_unknown'),
    { signing: SIGNING },
  ],
  'has other data than were signed': [
    () => signed((files) => void files.set('data.json', Buffer.from('{"roles":{}}'))),
    codes('bundle_digest_mismatch', 'bundle_signature_invalid'),
    { signing: SIGNING },
  ],
  'has a file more than was signed': [
    () => signed((files) => void files.set('more/data.json', Buffer.from('{}'))),
    codes('bundle_digest_mismatch', 'bundle_signature_invalid'),
    { signing: SIGNING },
  ],
  'has another digest than its file': [
    () =>
      signed((files) => {
        const text = Buffer.from(files.get('.signatures.json')!).toString();
        const [head, , tail] = (JSON.parse(text) as { signatures: string[] }).signatures[0]!.split('.');
        const claims = {
          files: [...files.keys()].map((name) => ({
            name,
            hash: createHash('sha256').update('x').digest('hex'),
            algorithm: 'SHA-256',
          })),
        };
        const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
        files.set(
          '.signatures.json',
          Buffer.from(JSON.stringify({ signatures: [`${head}.${body}.${tail}`] })),
        );
      }),
    codes('bundle_signature_invalid'),
    { signing: SIGNING },
  ],
};

describe('a bundle from a URL that', () => {
  test('is good is taken', async () => {
    served = await writeBundle(good, KEY);
    const s = await store({ signing: SIGNING });
    expect(s.current().decide(inputFor('support', 'after_sales')).allow).toBe(true);
  });

  test.each(Object.keys(BROKEN))('%s is refused, and the last good policy stays', async (name) => {
    const [bytes, wanted, config] = BROKEN[name]!;
    const bad = await bytes();
    served = bad;
    const e = await rejection(store(config));
    expect(wanted, e.message).toContain(e.code);
    // what it says: in whole words, and nothing of a fault of ours
    expect(e.message).toMatch(/^.{20,600}$/s);
    if (name === 'is larger than allowed') return;
    served = await writeBundle(good, KEY);
    const s = await store(config);
    served = bad;
    await s.reload();
    const { error, unavailable } = s.status();
    expect(wanted).toContain((error ?? unavailable)?.code);
    expect(s.current().decide(inputFor('support', 'after_sales')).allow).toBe(true);
  });
});

test('eighty reloads under load answer every question, and memory stays flat', async () => {
  const versions = await Promise.all([0, 1, 2, 3].map((i) => writeBundle({ ...good, revision: `r${i}` })));
  served = versions[0]!;
  const s = await store();
  let running = true;
  let answered = 0;
  const load = (async () => {
    while (running) {
      for (let i = 0; i < 20; i++) {
        const input = inputFor(i % 2 === 0 ? 'support' : 'nobody', 'after_sales');
        const { allow } = s.current().decide({ ...input, subject: { ...input.subject, id: `u${answered}` } });
        if (allow !== (i % 2 === 0)) throw new Error(`wrong answer at ${answered}`);
        answered += 1;
      }
      await new Promise((next) => setImmediate(next));
    }
  })();
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const memory = async (): Promise<number> => {
    for (let i = 0; i < 3; i++) {
      gc();
      await new Promise((next) => setImmediate(next));
    }
    const { arrayBuffers, external, heapUsed } = process.memoryUsage();
    return (arrayBuffers + external + heapUsed) / 2 ** 20;
  };
  const levels: number[] = [];
  for (let i = 1; i <= 80; i++) {
    served = i % 10 === 9 ? Buffer.from('garbage') : versions[i % 4]!;
    await s.reload();
    if (i % 10 !== 9) expect(s.current().revision).toBe(`r${i % 4}`);
    if (i % 8 === 0) levels.push(await memory());
  }
  running = false;
  await load;
  expect(answered).toBeGreaterThan(200);
  // MiB, after 8, 16, … reloads: no more at the end than while it began
  const [early, late] = [levels.slice(1, 5), levels.slice(5)];
  expect(Math.max(...late) - Math.max(...early), levels.map(Math.round).join()).toBeLessThan(8);
});
