import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Header, pack } from 'tar-stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { contentDigest } from '../../src/policy/bundle/approval.ts';
import { readArchive, writeArchive } from '../../src/policy/bundle/archive.ts';
import { type PolicyBundle, readBundle, writeBundle } from '../../src/policy/bundle/bundle.ts';
import type { SigningAlgorithm } from '../../src/policy/settings.ts';
import type { SigningConfig } from '../../src/policy/bundle/signatures.ts';
import { createSnapshot } from '../../src/policy/snapshot/index.ts';
import { disclosureFor, FIXTURE, fixture, inputFor, opa, rejection, scratch } from './support.ts';

const run = promisify(execFile);
const read = (bytes: Uint8Array, signing?: SigningConfig) =>
  readBundle(bytes, { name: 'b.tar.gz', ...(signing === undefined ? {} : { signing }) });

/** an archive made by hand, to hold what `writeArchive` would not write */
const archive = async (
  entries: readonly [Partial<Header> & { name: string }, (string | Uint8Array)?][],
): Promise<Buffer> => {
  const tar = pack();
  for (const [header, content] of entries) tar.entry(header, Buffer.from((content ?? '') as string));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const c of tar as AsyncIterable<Buffer>) chunks.push(c);
  return gzipSync(Buffer.concat(chunks));
};

let bundle: PolicyBundle;
let bytes: Buffer;
let wasm: Uint8Array;
beforeAll(async () => {
  bundle = await fixture();
  bytes = await writeBundle(bundle);
  wasm = bundle.wasm;
});

describe('a bundle', () => {
  test('is read back as it was written', async () => {
    const back = await read(bytes);
    const { sluice } = bundle.manifest.metadata as { sluice: object };
    expect(back).toEqual({
      ...bundle,
      name: 'b.tar.gz',
      dataJson: back.dataJson,
      catalogs: back.catalogs,
      // what an approval would name is added on the way
      manifest: {
        ...bundle.manifest,
        metadata: { sluice: { ...sluice, content_digest: contentDigest(bundle) } },
      },
    });
    expect(contentDigest(back)).toBe(contentDigest(bundle));
    expect(back.dataJson).toContain('12345678901234567890');
    expect([...back.catalogs.keys()]).toEqual(['customer']);
    expect(back.reads).toEqual(bundle.reads);
  });

  test('is the same bytes for the same policy', async () => {
    expect((await writeBundle(bundle)).equals(bytes)).toBe(true);
  });

  test('that plain opa build made works', async () => {
    const file = join(await scratch(), 'opa.tar.gz');
    await run((await opa()).path, [
      'build',
      '-t',
      'wasm',
      '-e',
      'sluice/decision',
      '-e',
      'sluice/disclosure',
      '-o',
      file,
      join(FIXTURE, 'sluice'),
      join(FIXTURE, 'data/roles.yaml'),
    ]);
    const policy = await createSnapshot(await read(await readFile(file)));
    expect(policy.source.reads).toBeNull();
    expect(policy.reads_consent_dates).toBe(false);
    expect(policy.decide(inputFor('support', 'after_sales')).allow).toBe(true);
    expect(policy.disclose(disclosureFor(inputFor('support', 'after_sales'))).disclose).toBe(true);
  });

  test('of ours is loaded by OPA itself', async () => {
    const file = join(await scratch(), 'ours.tar.gz');
    await writeFile(file, bytes);
    const { stdout } = await run((await opa()).path, [
      'eval',
      '-b',
      file,
      '--format',
      'raw',
      'data.roles.support.purposes[0]',
    ]);
    expect(stdout.trim()).toBe('after_sales');
  });

  test('has data files at any depth', async () => {
    const b = await archive([
      [{ name: '/policy.wasm' }, wasm],
      [{ name: '/data.json' }, '{"a": {"x": 1}}'],
      [{ name: '/a/b/data.yaml' }, 'on: yes'],
    ]);
    expect((await read(b)).data).toEqual({ a: { x: 1, b: { true: true } } });
  });

  test('ignores what its manifest says of reads if it was written for another module', async () => {
    const files = new Map(await readArchive(bytes, 'b'));
    const manifest = JSON.parse(Buffer.from(files.get('.manifest')!).toString()) as {
      metadata: { sluice: { wasm_sha256: string } };
    };
    manifest.metadata.sluice.wasm_sha256 = '0'.repeat(64);
    files.set('.manifest', Buffer.from(JSON.stringify(manifest)));
    expect((await read(await writeArchive(files))).reads).toBeNull();
  });
});

describe('a bundle is refused', () => {
  test.each([
    ['../evil/data.json'],
    ['a/../../data.json'],
    ['//etc/passwd'],
    ['a//data.json'],
    ['./../x'],
    ['a\\..\\x'],
    ['C:/x'],
  ])('with the path %s', async (name) => {
    const e = await rejection(
      read(
        await archive([
          [{ name: '/policy.wasm' }, wasm],
          [{ name }, '{}'],
        ]),
      ),
    );
    expect(e.code).toBe('bundle_path_refused');
  });

  test.each(['symlink', 'link', 'fifo', 'character-device'] as const)(
    'with an entry that is a %s',
    async (type) => {
      const e = await rejection(
        read(await archive([[{ name: '/data.json', type, linkname: '/etc/passwd' }]])),
      );
      expect(e.code).toBe('bundle_path_refused');
    },
  );

  test('with the same file twice', async () => {
    const e = await rejection(
      read(
        await archive([
          [{ name: '/data.json' }, '{}'],
          [{ name: 'data.json' }, '{}'],
        ]),
      ),
    );
    expect(e.code).toBe('bundle_malformed');
  });

  test('cut off anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), async (length) => {
        const e = await rejection(read(bytes.subarray(0, length)));
        expect(['bundle_truncated', 'bundle_malformed']).toContain(e.code);
      }),
      { numRuns: 50 },
    );
  });

  test('that expands without end', async () => {
    const e = await rejection(
      read(await archive([[{ name: '/data.json' }, Buffer.alloc(300 * 1024 * 1024)]])),
    );
    expect(e.code).toBe('bundle_too_large');
  });

  test('with more files than allowed', async () => {
    const many = Array.from({ length: 10_001 }, (_, i): [{ name: string }] => [{ name: `/f${i}` }]);
    expect((await rejection(read(await archive(many)))).code).toBe('bundle_too_large');
  });

  test.each([
    ['that is no archive', Buffer.from('hello'), 'bundle_malformed'],
    ['that is empty', Buffer.alloc(0), 'bundle_truncated'],
  ])('%s', async (_name, content, code) => {
    expect((await rejection(read(content))).code).toBe(code);
  });

  test('without a module, with several, or with an invalid one', async () => {
    expect((await rejection(read(await archive([[{ name: '/data.json' }, '{}']])))).code).toBe(
      'bundle_malformed',
    );
    expect(
      (
        await rejection(
          read(
            await archive([
              [{ name: '/policy.wasm' }, wasm],
              [{ name: '/a/policy.wasm' }, wasm],
            ]),
          ),
        )
      ).code,
    ).toBe('bundle_malformed');
    expect((await rejection(read(await archive([[{ name: '/policy.wasm' }, 'hello']])))).code).toBe(
      'bundle_malformed',
    );
  });

  test('of another ABI', async () => {
    // an empty module: it exports no ABI version
    const empty = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const b = await read(await archive([[{ name: '/policy.wasm' }, empty]]));
    expect((await rejection(createSnapshot(b))).code).toBe('bundle_abi_unsupported');
  });

  test('without our entrypoints', async () => {
    const dir = await scratch();
    await writeFile(join(dir, 'p.rego'), 'package other\n\nx := input.y\n');
    await run((await opa()).path, [
      'build',
      '-t',
      'wasm',
      '-e',
      'other/x',
      '-o',
      join(dir, 'b.tar.gz'),
      join(dir, 'p.rego'),
    ]);
    const e = await rejection(createSnapshot(await read(await readFile(join(dir, 'b.tar.gz')))));
    expect(e.code).toBe('bundle_entrypoint_missing');
  });

  test.each([[['a', 'a/b']], [['', 'a']], [['x', 'x']]])('whose roots overlap: %j', async (roots) => {
    const b = await archive([
      [{ name: '/policy.wasm' }, wasm],
      [{ name: '/.manifest' }, JSON.stringify({ roots })],
    ]);
    expect((await rejection(read(b))).code).toBe('bundle_roots_overlap');
  });

  test('with data outside its roots', async () => {
    const b = await archive([
      [{ name: '/policy.wasm' }, wasm],
      [{ name: '/.manifest' }, '{"roots": ["a/b"]}'],
      [{ name: '/data.json' }, '{"a": {"b": 1, "c": 2}}'],
    ]);
    expect((await rejection(read(b))).message).toContain('data at "a/c" lies outside the roots');
  });

  test('with two files that contradict each other', async () => {
    const b = await archive([
      [{ name: '/policy.wasm' }, wasm],
      [{ name: '/data.json' }, '{"a": {"x": 1}}'],
      [{ name: '/a/data.json' }, '{"x": 2}'],
    ]);
    expect((await rejection(read(b))).code).toBe('bundle_malformed');
  });

  test('with a catalog that is malformed', async () => {
    const b = await archive([
      [{ name: '/policy.wasm' }, wasm],
      [{ name: '/data.json' }, '{"catalog": {"a": {"resource": "b", "fields": {}}}}'],
    ]);
    expect((await rejection(read(b))).code).toBe('catalog_invalid');
  });
});

describe('a signature', () => {
  const pem = (type: 'rsa' | 'P-256' | 'P-384' | 'ed25519') => {
    const pair =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : type === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : generateKeyPairSync('ec', { namedCurve: type });
    return {
      private: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      public: pair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
    };
  };
  const rsa = pem('rsa');
  const ec = pem('P-256');
  const SECRET = 'a secret that is long enough for HS256 and HS512, which want 64 bytes';

  test.each<[SigningAlgorithm, { private: string; public: string }]>([
    ['HS256', { private: SECRET, public: SECRET }],
    ['HS512', { private: SECRET, public: SECRET }],
    ['RS256', rsa],
    ['PS256', rsa],
    ['ES256', ec],
    ['ES384', pem('P-384')],
    ['EdDSA', pem('ed25519')],
  ])('of %s made here is verified', async (algorithm, key) => {
    const signed = await writeBundle(bundle, { kid: 'k1', algorithm, key: key.private });
    expect((await read(signed, { keys: { k1: { algorithm, key: key.public } } })).revision).toBe(
      bundle.revision,
    );
  });

  const byOpa = async (algorithm: string, key: string): Promise<Uint8Array> => {
    const dir = await scratch();
    await writeFile(
      join(dir, 'data.json'),
      '{"z": 1.50, "a": "<&>\\u2028 \u00e9", "n": 12345678901234567890}',
    );
    await writeFile(
      join(dir, 'p.rego'),
      'package sluice\n\ndecision := {"allow": input.x}\n\ndisclosure := {"disclose": input.x}\n',
    );
    await writeFile(join(dir, 'key'), key);
    const file = join(dir, 'out.tar.gz');
    await run(
      (await opa()).path,
      [
        'build',
        '-b',
        '-t',
        'wasm',
        '-e',
        'sluice/decision',
        '-e',
        'sluice/disclosure',
        '-o',
        file,
        dir,
        '--signing-alg',
        algorithm,
        '--signing-key',
        algorithm.startsWith('HS') ? key : join(dir, 'key'),
      ],
      { cwd: dir },
    );
    return readFile(file);
  };

  test.each<[SigningAlgorithm, { private: string; public: string }]>([
    ['RS256', rsa],
    ['ES256', ec],
    ['HS256', { private: SECRET, public: SECRET }],
  ])('of %s made by OPA is verified', async (algorithm, key) => {
    const pkcs1 = key.private;
    const signed = await byOpa(algorithm, pkcs1);
    expect(
      (await read(signed, { keys: { default: { algorithm, key: key.public } } })).wasm.length,
    ).toBeGreaterThan(0);
  });

  test('made here is verified by OPA', async () => {
    const dir = await scratch();
    const file = join(dir, 'b.tar.gz');
    await writeFile(file, await writeBundle(bundle, { kid: 'k1', algorithm: 'RS256', key: rsa.private }));
    await writeFile(join(dir, 'pub.pem'), rsa.public);
    const { stdout } = await run((await opa()).path, [
      'build',
      '-b',
      '--verification-key',
      join(dir, 'pub.pem'),
      '--verification-key-id',
      'k1',
      '-o',
      join(dir, 'again.tar.gz'),
      file,
    ]);
    expect(stdout).toBe('');
  });

  test('that is missing is refused, unless it is not required', async () => {
    const keys = { k1: { algorithm: 'RS256' as const, key: rsa.public } };
    expect((await rejection(read(bytes, { keys }))).code).toBe('bundle_unsigned');
    expect((await read(bytes, { keys, required: false })).revision).toBe(bundle.revision);
    expect((await rejection(read(bytes, { keys: {}, required: true }))).code).toBe('bundle_key_unknown');
  });

  test('may be by any of the keys, so that keys can be rotated', async () => {
    const keys = {
      old: { algorithm: 'RS256' as const, key: rsa.public },
      new: { algorithm: 'ES256' as const, key: ec.public },
    };
    for (const [kid, algorithm, key] of [
      ['old', 'RS256', rsa],
      ['new', 'ES256', ec],
    ] as const)
      expect(
        (await read(await writeBundle(bundle, { kid, algorithm, key: key.private }), { keys })).revision,
      ).toBe(bundle.revision);
  });

  test('by another key is refused', async () => {
    const signed = await writeBundle(bundle, { kid: 'k1', algorithm: 'RS256', key: pem('rsa').private });
    expect(
      (await rejection(read(signed, { keys: { k1: { algorithm: 'RS256', key: rsa.public } } }))).code,
    ).toBe('bundle_signature_invalid');
    expect(
      (await rejection(read(signed, { keys: { k2: { algorithm: 'RS256', key: rsa.public } } }))).code,
    ).toBe('bundle_key_unknown');
  });

  test('by an algorithm that the key is not for is refused', async () => {
    // HS256 with the public key as its secret: the classic confusion
    const signed = await writeBundle(bundle, { kid: 'k1', algorithm: 'HS256', key: rsa.public });
    expect(
      (await rejection(read(signed, { keys: { k1: { algorithm: 'RS256', key: rsa.public } } }))).code,
    ).toBe('bundle_signature_invalid');
  });

  test.each<[string, (files: Map<string, Uint8Array>) => void]>([
    ['a file was changed', (f) => f.set('data.json', Buffer.from('{}'))],
    ['a file was added', (f) => f.set('extra/data.json', Buffer.from('{}'))],
    ['a file was removed', (f) => f.delete('.sluice/sources.json')],
    [
      'the module was changed',
      (f) => f.set('policy.wasm', Buffer.concat([f.get('policy.wasm')!, Buffer.from([0, 1, 0])])),
    ],
    ['the signature is no JWS', (f) => f.set('.signatures.json', Buffer.from('{"signatures": ["x"]}'))],
    [
      'there is no signature in the list',
      (f) => f.set('.signatures.json', Buffer.from('{"signatures": []}')),
    ],
    ['the list is no JSON', (f) => f.set('.signatures.json', Buffer.from('x'))],
  ])('is refused when %s', async (_name, change) => {
    const key = { kid: 'k1', algorithm: 'ES256' as const, key: ec.private };
    const files = new Map(await readArchive(await writeBundle(bundle, key), 'b'));
    change(files);
    const e = await rejection(
      read(await writeArchive(files), { keys: { k1: { algorithm: 'ES256', key: ec.public } } }),
    );
    expect(e.code).toBe('bundle_signature_invalid');
  });

  test('stays valid for a data file that is formatted differently', async () => {
    const key = { kid: 'k1', algorithm: 'ES256' as const, key: ec.private };
    const files = new Map(await readArchive(await writeBundle(bundle, key), 'b'));
    files.set(
      'data.json',
      Buffer.from(
        JSON.stringify(
          JSON.parse(
            Buffer.from(files.get('data.json')!).toString().replaceAll('12345678901234567890', '"@"'),
          ),
          null,
          2,
        ).replace('"@"', '12345678901234567890'),
      ),
    );
    expect(
      (await read(await writeArchive(files), { keys: { k1: { algorithm: 'ES256', key: ec.public } } }))
        .revision,
    ).toBe(bundle.revision);
  });
});
