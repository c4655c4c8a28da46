/** What `JSON.parse` reads, compared with V8's own in a new realm, which has read nothing before, and gets no name with a backslash. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runInNewContext, runInThisContext } from 'node:vm';
import express from 'express';
import fc from 'fast-check';
import { CompactSign } from 'jose';
import { describe, expect, test } from 'vitest';
import { createLookups } from '../src/consent/lookups.ts';
import { commitmentOf, hashOf, parse as parseLine } from '../src/decision-log/journal/line.ts';
import { readExact } from '../src/disclosure/guard/exact.ts';
import { jsonReader } from '../src/endpoints/express.ts';
import { parseJson as parseBody } from '../src/routing/body/json.ts';
import { exactJson } from '../src/rego/index.ts';
import { bearer, claims, identityWith, issuerOf, NOBODY, newKey } from './identity/setup.ts';

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
type Parse = (text: unknown, reviver?: unknown) => unknown;

const parse = JSON.parse as Parse;
/** What V8 remembers of names belongs to a realm. */
const fresh = (): Parse => runInNewContext('JSON.parse') as Parse;

/** Makes V8 expect the name after the other names, by an object literal: without the help of a parser. */
const expectName = (before: readonly string[], name: string): unknown =>
  runInThisContext(`({${[...before, name].map((of) => `${JSON.stringify(of)}:0`).join(',')}})`);

/** A name that needs a backslash has other characters in the text for V8's own parser: it misreads such names within one text, too. */
const disguised = (name: string): string =>
  name.replace(/["\\\0-\u001f]/g, (c) => String.fromCharCode(0xe000 + c.charCodeAt(0)));
const undisguised = (name: string): string =>
  name.replace(/[\ue000-\ue0ff]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xe000));

/** The value with the order and the attributes of its members. Prototypes differ between realms. */
function described(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : [typeof value, value];
  if (Array.isArray(value)) return value.map(described);
  return {
    members: Reflect.ownKeys(value).map((name) => {
      const { value: of, ...flags } = Reflect.getOwnPropertyDescriptor(value, name)!;
      return [undisguised(String(name)), JSON.stringify(flags), described(of)];
    }),
  };
}

/** A message without what it quotes of the text: names are quoted with another character for a backslash. */
const said = (e: unknown): string =>
  `${(e as Error).name}: ${(e as Error).message.replace(/(?:\.\.\.)?"[\s\S]*"(?:\.\.\.)?(?= is not valid JSON)/, '…')}`;

function outcome(of: Parse, text: unknown, reviver?: unknown): unknown {
  try {
    return described(of(text, reviver));
  } catch (e) {
    return said(e);
  }
}

const numRuns = Number(process.env['FC_RUNS'] ?? 200);

const unit = fc.constantFrom(...'aidu01/"\\\n\0\u001f\u007f姓\ud83d\ude00\u2028 '.split(''));
const names = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'toString', 'constructor', '0', '1', '10', '01', '') },
);
const SHORT: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '/': '\\/', '\n': '\\n' };

/** The spellings that RFC 8259 §7 gives a string. */
const spelled = (text: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      ...text.split('').map((c) => {
        const hex = `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
        const isPlain = c >= ' ' && c !== '"' && c !== '\\';
        return fc.constantFrom(...(isPlain ? [c] : []), ...(c in SHORT ? [SHORT[c]!] : []), hex);
      }),
    )
    .map((units) => `"${units.join('')}"`);

const strings = names.chain(spelled);
/** a name: its spelling, and the one for V8's own parser */
const spelledNames = names.chain((name) => fc.tuple(spelled(name), fc.constant(`"${disguised(name)}"`)));
const white = fc.constantFrom('', '', ' ', '\t\n', '\r ');

/** A text, and the same text for V8's own parser. */
type Texts = readonly [text: string, plain: string];
const both = (of: (side: 0 | 1) => string): Texts => [of(0), of(1)];
const { texts } = fc.letrec<{ texts: Texts; list: Texts; object: Texts }>((tie) => ({
  list: fc
    .array(tie('texts'), { maxLength: 3 })
    .map((items) => both((side) => `[${items.map((item) => item[side]).join(', ')}]`)),
  object: fc
    .array(fc.tuple(white, spelledNames, white, tie('texts')), { maxLength: 4 })
    .map((members) =>
      both(
        (side) =>
          `{${members.map(([a, name, b, value]) => `${a}${name[side]}${b}:${b}${value[side]}${a}`).join(',')}}`,
      ),
    ),
  texts: fc.oneof(
    { depthSize: 'medium' },
    strings.map((text) => both(() => text)),
    fc
      .constantFrom('0', '-0', '1.50', '1e2', '12345678901234567890', 'true', 'false', 'null')
      .map((text) => both(() => text)),
    tie('list'),
    { weight: 4, arbitrary: tie('object') },
  ),
}));

describe('JSON.parse', () => {
  test('reads a name as it is spelled, whatever name V8 expects', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(names, { maxLength: 2 }),
        names.chain((name) => fc.tuple(fc.constant(name), spelled(name))),
        (before, [name, spelling]) => {
          fc.pre(!before.includes(name));
          const held = expectName(before, spelling.slice(1, 1 + name.length));
          parse(JSON.stringify(held));
          const text = `{${before.map((of) => `${JSON.stringify(of)}:0,`).join('')}${spelling}:[1]}`;
          const plain = `{${[...before, name].map((of) => `"${disguised(of)}":${of === name ? '[1]' : '0'}`).join(',')}}`;
          expect(outcome(parse, text)).toEqual(outcome(fresh(), plain));
          expect(outcome(parse, `[${text}]`)).toEqual(outcome(fresh(), `[${plain}]`));
          expect(held).toBeDefined();
        },
      ),
      { numRuns },
    );
  });

  test('reads what V8 reads: order, duplicates, indexes, attributes, numbers', () => {
    fc.assert(
      fc.property(texts, ([text, plain]) => {
        expect(outcome(parse, text)).toEqual(outcome(fresh(), plain));
      }),
      { numRuns: 2 * numRuns },
    );
  });

  test('refuses what V8 refuses, and names the same position', () => {
    const broken = fc
      .tuple(
        texts,
        fc.nat(),
        fc.nat(2),
        fc.constantFrom('"', '\\', ':', ',', '}', ']', '{', 'x', '\n', '\\u00', '1'),
      )
      .map(([[text], at, removed, added]) => {
        const from = at % (text.length + 1);
        return text.slice(0, from) + added + text.slice(from + removed);
      });
    const fault = (of: Parse, text: string): string | null => {
      try {
        of(text);
        return null;
      } catch (e) {
        return said(e);
      }
    };
    fc.assert(
      fc.property(broken, (text) => {
        expect(fault(parse, text)).toBe(fault(fresh(), text));
      }),
      { numRuns: 2 * numRuns },
    );
  });

  test('calls a reviver as V8 does: holder, name, value and source, also if the reviver changes values', () => {
    /** @param every of calls changes something */
    const watching = (calls: unknown[], every: number, within: object): Reviver =>
      function (key, value, context) {
        const name = undisguised(key);
        calls.push([name, described(value), described(this), described(context)]);
        const turn = calls.length % every;
        if (turn === 0) return undefined;
        if (turn === 1 && Array.isArray(this)) this.push(7);
        if (turn === 2) {
          const holder = this as Record<string, unknown>;
          const other = Object.keys(holder).find((of) => of !== key && of !== '__proto__');
          if (other !== undefined) holder[other] = within;
        }
        return turn === 3 ? { name } : value;
      };
    fc.assert(
      fc.property(texts, fc.integer({ min: 4, max: 40 }), ([text, plain], every) => {
        const [own, others]: [unknown[], unknown[]] = [[], []];
        expect(outcome(parse, text, watching(own, every, { in: ['"', 1] }))).toEqual(
          outcome(fresh(), plain, watching(others, every, { in: ['"', 1] })),
        );
        expect(own).toEqual(others);
      }),
      { numRuns },
    );
  });

  test.each([
    ['nested deeply', `${'[{"\\"":'.repeat(100_000)}0${'}]'.repeat(100_000)}`],
    ['nested deeply, with plain names', `${'[{"\\u0061":'.repeat(100_000)}0${'}]'.repeat(100_000)}`],
  ])('reads what is %s', (_, text) => {
    let depth = 0;
    for (let value = parse(text); typeof value === 'object'; depth++)
      value = Object.values(value as object)[0];
    expect(depth).toBe(200_000);
  });

  test('reads long texts, and texts of many names', () => {
    const long = 'x"\\'.repeat(500_000);
    expect(parse(JSON.stringify({ [long]: long }))).toEqual({ [long]: long });
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`"${i}`, i]));
    expect(parse(JSON.stringify(many))).toEqual(many);
  });

  test.each([
    undefined,
    null,
    12,
    true,
    '',
    '\\',
    '"\\',
    '{"\\',
    '{"\\"',
    '{"\\":1}',
    '{"\\"":',
    { toString: () => '{"\\u0061":1}' },
  ])('takes %j as V8 does', (text) => {
    expect(outcome(parse, text)).toEqual(outcome(fresh(), text));
  });

  test('looks like the function that it replaces', () => {
    const own = Object.getOwnPropertyDescriptor(JSON, 'parse')!;
    const { value: _, ...flags } = runInNewContext('Object.getOwnPropertyDescriptor(JSON, "parse")');
    expect(own).toMatchObject(flags);
    expect([own.value.name, own.value.length]).toEqual(['parse', 2]);
    expect(() => Reflect.construct(own.value, ['1'])).toThrow(TypeError);
    expect(() => parse(Symbol('{"\\""}'))).toThrow(TypeError);
  });

  test('keeps what a reviver throws', () => {
    for (const text of ['{"\\u0061":1}', '{"\\"":1}'])
      expect(() =>
        parse(text, () => {
          throw new SyntaxError('of the reviver');
        }),
      ).toThrow('of the reviver');
  });
});

describe('a member whose name is spelled with escapes is found', () => {
  /** the text with `name` spelled with escapes, while V8 expects another name in its place */
  function escaped(document: Readonly<Record<string, unknown>>, name: string): string {
    const before = Object.keys(document).slice(0, Object.keys(document).indexOf(name));
    const spelling = name.replace(/./, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
    held.push(expectName(before, spelling.slice(0, name.length)));
    return JSON.stringify(document).replace(`"${name}"`, () => `"${spelling}"`);
  }
  const held: unknown[] = [];

  test('in a token', async () => {
    const key = await newKey();
    const sign = (text: string): Promise<string> =>
      new CompactSign(Buffer.from(text)).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(key.privateKey);
    const identity = identityWith({ issuers: [issuerOf([key.jwk])] });
    const payload = claims({ roles: ['support'], amr: ['pwd'] });
    for (const name of ['roles', 'amr', 'sub', 'aud']) {
      const token = await sign(escaped(payload, name));
      const found = await identity.authenticate(bearer(token), NOBODY);
      expect(found.subject).toMatchObject({
        properties: { roles: ['support'], assurance: { amr: ['pwd'] } },
      });
    }
  });

  test('in a key set', async () => {
    const key = await newKey();
    const identity = identityWith({
      issuers: [issuerOf([parse(escaped(key.jwk as Record<string, unknown>, 'kid')) as typeof key.jwk])],
    });
    expect((await identity.authenticate(bearer(await key.sign()), NOBODY)).subject.type).toBe('user');
  });

  test('in data of a policy, and in what the policy answers', () => {
    for (const n of [1, 1.5])
      expect(Object.keys(exactJson.parse(escaped({ roles: n, deny: true }, 'deny')) as object)).toEqual([
        'roles',
        'deny',
      ]);
  });

  test('in a request body and a stored record', () => {
    const text = escaped({ nickname: 'Li', id: 'C2' }, 'id');
    expect(parseBody(text, 10)).toEqual({ nickname: 'Li', id: 'C2' });
    const exact = readExact(text);
    expect(exact.kind === 'object' && [...exact.members.keys()]).toEqual(['nickname', 'id']);
  });

  test('in the answer of a look-up', async () => {
    const body = escaped({ login: 'li', id: 'C2' }, 'id');
    const config = { upstream: 'crm', path: '/logins/{value}', id: '/id', cache: 0 };
    const lookups = createLookups({ login: config }, async () => ({ status: 200, body }));
    expect(await lookups.find('login', 'li')).toBe('C2');
  });

  test('in the body of a request to the admin listener', async () => {
    const text = escaped({ subject: 'u-1', reason: 'test' }, 'reason');
    const server = express()
      .post('/', async (req, res) => {
        res.json(await jsonReader(1000)(req, res));
      })
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      });
      expect(await answer.text()).toBe('{"subject":"u-1","reason":"test"}');
    } finally {
      server.close();
    }
  });

  test('in a record of the journal whose names need a backslash', () => {
    const payload = { '!': 1, '"': 2 };
    held.push(expectName(['!'], '\\'));
    const text = `{"payload":${JSON.stringify(payload)},"salt":"${'0'.repeat(32)}"}`;
    const header = { origin: 'o', seq: 1, prev: '0'.repeat(64), after: null, document: null };
    const commitment = commitmentOf(payload, '0'.repeat(32));
    const head = `{"c":"${commitment}","o":"o","p":"${header.prev}","s":1,"v":2,"hash":"${hashOf(header, commitment)}",`;
    expect(parseLine(Buffer.from(head + text.slice(1)))).toMatchObject({ payload });
  });
});

test('the command loads it before jose', async () => {
  const script = `
    import { runInThisContext } from 'node:vm';
    process.argv[2] = '--version';
    await import(${JSON.stringify(join(import.meta.dirname, '../src/main.ts'))});
    const { jwtVerify, CompactSign } = await import('jose');
    const held = runInThisContext(${JSON.stringify(String.raw`({ a: 1, '\\u': 2 })`)});
    const key = Buffer.alloc(32, 1);
    const token = await new CompactSign(Buffer.from(${JSON.stringify(String.raw`{"a":1,"\u0069d":2}`)})).setProtectedHeader({ alg: 'HS256' }).sign(key);
    console.log(JSON.stringify((await jwtVerify(token, key)).payload), Object.keys(held).length);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: join(import.meta.dirname, '..'),
  });
  expect(stdout.trim().split('\n').at(-1)).toBe('{"a":1,"id":2} 2');
});
