import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Automaton } from '../../src/disclosure/fields/automaton.ts';
import { AMBIGUOUS, MALFORMED, MORE, STRIDE, TOO_DEEP } from '../../src/disclosure/formats/json/entries.ts';
import { jsonScanner } from '../../src/disclosure/formats/json/scan.ts';
import { PlainScanner } from './plain-scan.ts';
import { catalogOf } from './support.ts';

const employee = catalogOf(
  { '/id': 'a/1', '/boss': '@employee', '/t/*': 'b/2' },
  { resource: 'employee', subjects: ['/id'] },
);
const catalog = catalogOf(
  {
    '/a': 'a/1',
    '/b/c': 'b/2',
    '/b/*/d': 'a/1',
    '/l/0': 'a/1',
    '/l/2/x': 'b/2',
    '/s/[n=x]/v': 'b/2',
    '/s/*/v': 'a/1',
    '/e': '@employee',
    '/ee': '@employee',
    '/averylongnameofmorethan8': 'a/1',
    '/averylongnameofmorethan9': 'b/2',
    '/张': 'a/1',
  },
  { subjects: ['/a', '/b/c', '/e/id'], attributes: { v: '/l/0', w: '/deep/er' } },
);
const automaton = new Automaton(catalog, new Map([['employee', employee]]));

/** what both scanners say of a text: the outcome and, where it is an end, the index */
function both(bytes: Buffer, end: number, final: boolean, limit = 40) {
  const plain = new PlainScanner(limit);
  const wanted = plain.scan(bytes, 0, end, automaton, automaton.root, 0, final);
  const scanner = jsonScanner();
  const page = scanner.begin(automaton, bytes, 0, bytes.length);
  const found = scanner.scan(0, end, automaton.root, 0, limit, final);
  const { entryCount, markCount, scopeCount, errorAt } = scanner;
  const marks = Array.from({ length: markCount }, (_, n) => scanner.mark(n));
  const scopes = Array.from({ length: scopeCount }, (_, n) => scanner.scope(n));
  scanner.take();
  if (wanted < 0)
    return [
      { end: wanted, at: wanted === MORE ? 0 : plain.errorAt },
      { end: found, at: found === MORE ? 0 : errorAt },
    ];
  const kept = plain.keep();
  return [
    { end: wanted, entries: [...kept.entries], marks: [...kept.marks], scopes: [...kept.scopes] },
    { end: found, entries: [...scanner.entriesOf(page).subarray(0, entryCount * STRIDE)], marks, scopes },
  ];
}

const NAMES = [
  'a',
  'b',
  'c',
  'd',
  'l',
  's',
  'n',
  'v',
  'e',
  'ee',
  'id',
  'boss',
  't',
  'x',
  '张',
  'deep',
  'er',
  'averylongnameofmorethan8',
  'averylongnameofmorethan9',
  'averylongnameofmorethanX',
  '',
];
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom(null, true, false, 0, 'x', -1.5e-7, 123456789012345, ''),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('value'), { maxKeys: 6, noNullPrototype: true }),
  ),
}));
const runs = { numRuns: Number(process.env['FC_RUNS'] ?? 300) };

describe('the scanner in WebAssembly', () => {
  test('writes the very index that the plain one writes', () => {
    fc.assert(
      fc.property(value, fc.boolean(), (v, spaced) => {
        const bytes = Buffer.from(spaced ? JSON.stringify(v, null, 1) : JSON.stringify(v));
        const [wanted, found] = both(bytes, bytes.length, true);
        expect(found).toEqual(wanted);
      }),
      runs,
    );
  });

  test('says of every cut and every damage what the plain one says', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.nat(255), fc.boolean(), (v, at, byte, final) => {
        const bytes = Buffer.from(JSON.stringify(v));
        const damaged = Buffer.from(bytes);
        if (damaged.length > 0) damaged[at % damaged.length] = byte;
        for (const [text, end] of [
          [bytes, at % (bytes.length + 1)],
          [damaged, damaged.length],
        ] as const) {
          const [wanted, found] = both(text, end, final);
          expect(found).toEqual(wanted);
        }
      }),
      runs,
    );
  });

  test('takes a name with a quote in it for what it is, even where the list before had that name', () => {
    const catalog = catalogOf({ '/*/a":1,"b': 'a/1', '/*/a': 'b/2', '/*/b': 'c/3' });
    const quoting = new Automaton(catalog, new Map());
    const bytes = Buffer.from('[{"a\\":1,\\"b":1},{"a":1,"b":2},{"a":1,"b":2}]');
    const plain = new PlainScanner(40);
    expect(plain.scan(bytes, 0, bytes.length, quoting, quoting.root, 0, true)).toBe(bytes.length);
    const scanner = jsonScanner();
    const page = scanner.begin(quoting, bytes, 0, bytes.length);
    expect(scanner.scan(0, bytes.length, quoting.root, 0, 40, true)).toBe(bytes.length);
    const count = scanner.entryCount;
    scanner.take();
    expect([...scanner.entriesOf(page).subarray(0, count * STRIDE)]).toEqual([...plain.keep().entries]);
  });

  test('is what its source compiles to', async (context) => {
    const { spawnSync } = await import('node:child_process');
    const { existsSync } = await import('node:fs');
    const { fileURLToPath } = await import('node:url');
    const folder = fileURLToPath(new URL('../../src/disclosure/formats/json/assembly/', import.meta.url));
    context.skip(
      !existsSync(`${folder}node_modules/assemblyscript`),
      `its compiler is not installed: npm ci --prefix ${folder}`,
    );
    const { status, stderr } = spawnSync(process.execPath, ['build.ts', '--check'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('names what is wrong', () => {
    const say = (text: string, final = true, limit = 40) =>
      both(Buffer.from(text), Buffer.byteLength(text), final, limit)[1]!.end;
    expect(say('{"a":1')).toBe(MALFORMED);
    expect(say('{"a":1', false)).toBe(MORE);
    expect(say('[[[]]]', true, 2)).toBe(TOO_DEEP);
    expect(say('{"b":[[[1]]]}', true, 3)).toBe(TOO_DEEP);
    expect(say('{"s":[{"n":"x","n":"x"}]}')).toBe(AMBIGUOUS);
    expect(say('{"s":[{"n":"x","\\u006e":"x"}]}')).toBe(AMBIGUOUS);
  });

  test('finds room for an index that is longer than what it describes, and keeps what it had', () => {
    const many = catalogOf({ '/*/*': 'a/1' });
    const wide = new Automaton(many, new Map());
    const text = `[${'[1,2],'.repeat(60_000)}[3]]`;
    const bytes = Buffer.from(`[[7]] ${text}`);
    const scanner = jsonScanner();
    const first = scanner.begin(wide, bytes, 0, bytes.length);
    expect(scanner.scan(0, bytes.length, wide.root, 0, 10, true)).toBe(5);
    expect(scanner.scan(6, bytes.length, wide.root, 0, 10, true)).toBe(bytes.length);
    const second = scanner.page;
    scanner.take();
    expect(
      scanner
        .entriesOf(first)
        .subarray(0, 4 * STRIDE)
        .filter((_, n) => n % STRIDE === 2),
    ).toEqual(Int32Array.of(0, 1, 2, 3).map((_, n) => [0, 1, 2, 3][n]!));
    expect(second).not.toBe(first);
    expect(scanner.entriesOf(second)[3]! * STRIDE).toBeLessThan(scanner.entriesOf(second).length);
    expect(scanner.entriesOf(second)[scanner.entriesOf(second)[3]! * STRIDE + 3]).toBe(bytes.length);
  });

  test('learns states that selectors lead to while it scans', () => {
    const selecting = catalogOf({ '/*/[k=1]/v': 'a/1', '/*/[k=2]/v': 'b/2', '/*/[j=1]/w/*': 'c/3' });
    const fresh = new Automaton(selecting, new Map());
    const bytes = Buffer.from(
      '[[{"k":"1","v":1},{"k":"2","j":1,"v":2,"w":[1]},{"j":"1","k":2,"w":{"z":1},"v":3},{"k":null}]]',
    );
    const plain = new PlainScanner(40);
    const scanner = jsonScanner();
    scanner.begin(fresh, bytes, 0, bytes.length);
    expect(scanner.scan(0, bytes.length, fresh.root, 0, 40, true)).toBe(bytes.length);
    const page = scanner.page;
    const count = scanner.entryCount;
    scanner.take();
    plain.scan(bytes, 0, bytes.length, fresh, fresh.root, 0, true);
    expect([...scanner.entriesOf(page).subarray(0, count * STRIDE)]).toEqual([...plain.keep().entries]);
  });
});
