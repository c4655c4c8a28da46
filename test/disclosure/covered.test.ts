/**
 * What a catalog line covers, said without the engine's terms: a scalar leaves if a line names its own path, where the last steps of that path
 * may be left out if they are positions in arrays. In XML the text of an element has a second path, with `#text` behind the element's, which no `*`
 * stands for. Whatever else the upstream adds stays behind; with `whole` at the root everything leaves.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answer, bytesOf, catalogOf, partsOf, type Setting } from './support.ts';

type Json = null | string | Json[] | { [name: string]: Json };
interface Step {
  readonly name: string;
  readonly position: boolean;
}
interface Found {
  readonly path: readonly Step[];
  readonly text: string;
}

const NAMES = ['a', 'b', 'c', 'd', '0', '1'];
const { shape } = fc.letrec<{ shape: Json }>((tie) => ({
  shape: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.array(tie('shape'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('shape'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const record = fc.dictionary(fc.constantFrom(...NAMES), shape, { maxKeys: 5, noNullPrototype: true });

/** the record with a text of its own in every leaf */
function filled(value: Json, texts: { n: number }): Json {
  if (Array.isArray(value)) return value.map((v) => filled(v, texts));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, filled(v, texts)]));
  return `text-${texts.n++}-`;
}

function* scalars(value: Json, path: readonly Step[] = []): Generator<Found> {
  if (typeof value === 'string') yield { path, text: value };
  else if (value !== null)
    for (const [name, v] of Object.entries(value))
      yield* scalars(v, [...path, { name, position: Array.isArray(value) }]);
}

const token = fc.constantFrom(...NAMES, ...NAMES, '*', '*', '@p', '#text');
const pointers = fc.uniqueArray(
  fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => `/${tokens.join('/')}`),
  { maxLength: 6 },
);

const names = (pointer: string, path: readonly Step[]): boolean => {
  const tokens = pointer.slice(1).split('/');
  return (
    tokens.length <= path.length &&
    tokens.every((t, n) => t === path[n]!.name || (t === '*' && path[n]!.name !== '#text')) &&
    path.slice(tokens.length).every((step) => step.position)
  );
};

const CLASSES = ['one/1', 'two/2', 'three/3'];
const all = answer(Object.fromEntries(CLASSES.map((cls) => [cls, 'disclose'])));
const catalogFor = (lines: readonly string[], whole = '') =>
  catalogOf(Object.fromEntries(lines.map((line, n) => [line, `${CLASSES[n % CLASSES.length]}${whole}`])));

/** in XML: by the element's own path, or by that of its text, which is named and not any member's */
const namesText = (pointer: string, path: readonly Step[]): boolean =>
  names(pointer, path) ||
  (pointer.endsWith('/#text') &&
    /^[a-z\d]/.test(path.at(-1)?.name ?? '') &&
    names(pointer.slice(0, -'/#text'.length), path));

async function leaves(
  body: string,
  found: readonly Found[],
  lines: readonly string[],
  setting: Partial<Setting>,
) {
  const parts = await partsOf(body, { catalog: catalogFor(lines), answer: all, ...setting });
  const left = bytesOf(parts).toString();
  const account = JSON.stringify(parts.map((part) => part.summary));
  const covers = setting.format === 'xml' && setting.options === undefined ? namesText : names;
  const wrong = found.filter(
    ({ text, path }) => left.includes(text) !== lines.some((line) => covers(line, path)),
  );
  expect({ wrong, body, lines }).toEqual({ wrong: [], body, lines });
  expect(found.filter(({ text }) => account.includes(text))).toEqual([]);
}

/** an element for every member; leaves with an attribute now and then, text beside elements now and then */
function xmlOf(
  name: string,
  value: Json,
  path: readonly Step[],
  found: Found[],
  texts: { n: number },
): string {
  const note = (at: readonly Step[]): string => {
    const text = `text-${texts.n++}-`;
    found.push({ path: at, text });
    return text;
  };
  const step = (member: string): readonly Step[] => [...path, { name: member, position: false }];
  const attribute = texts.n % 3 === 0 ? ` p="${note(step('@p'))}"` : '';
  const members = value === null || typeof value === 'string' ? [] : Object.entries(value);
  // nothing names the record itself
  if (members.length === 0) return `<${name}${attribute}>${path.length === 0 ? '' : note(path)}</${name}>`;
  const mixed = texts.n % 4 === 0 ? note(step('#text')) : '';
  // an element's name does not begin with a digit
  const inside = members.map(([member, v]) => {
    const local = /^\d/.test(member) ? `n${member}` : member;
    return xmlOf(local, v, step(local), found, texts);
  });
  return `<${name}${attribute}>${mixed}${inside.join('\n')}</${name}>`;
}

function rpcOf(value: Json): string {
  if (Array.isArray(value)) return `<value><array><data>${value.map(rpcOf).join('')}</data></array></value>`;
  if (value === null || typeof value === 'string') return `<value><string>${value ?? ''}</string></value>`;
  const members = Object.entries(value).map(
    ([name, v]) => `<member><name>${name}</name>${rpcOf(v)}</member>`,
  );
  return `<value><struct>${members.join('')}</struct></value>`;
}

/** more of them: FC_RUNS=5000 npx vitest run test/disclosure/covered.test.ts */
const numRuns = Number(process.env['FC_RUNS'] ?? 100);

describe('of a record whose catalog has no line that is whole, a scalar leaves where a line names its own path, and nowhere else', () => {
  test('in JSON', async () => {
    await fc.assert(
      fc.asyncProperty(record, pointers, fc.constantFrom(0, 1), async (shape, lines, space) => {
        const filledIn = filled(shape, { n: 0 });
        await leaves(JSON.stringify(filledIn, null, space), [...scalars(filledIn)], lines, {});
      }),
      { numRuns },
    );
  });

  test('in XML, with attributes and text among elements', async () => {
    await fc.assert(
      fc.asyncProperty(record, pointers, fc.nat(11), async (shape, lines, n) => {
        const found: Found[] = [];
        const body = xmlOf('r', shape, [], found, { n });
        await leaves(body, found, lines, { format: 'xml' });
      }),
      { numRuns },
    );
  });

  test('in XML-RPC', async () => {
    await fc.assert(
      fc.asyncProperty(record, pointers, async (shape, lines) => {
        const filledIn = filled(shape, { n: 0 });
        const body = `<methodResponse><params><param>${rpcOf(filledIn)}</param></params></methodResponse>`;
        await leaves(body, [...scalars(filledIn)], lines, { format: 'xml', options: { dialect: 'xmlrpc' } });
      }),
      { numRuns },
    );
  });
});

describe('with whole lines for all that stands in a record, and everything disclosed, the very bytes leave', () => {
  test.each(['json', 'xml', 'xmlrpc'] as const)('of %s', async (format) => {
    await fc.assert(
      fc.asyncProperty(record, pointers, async (shape, deeper) => {
        const filledIn = filled(shape, { n: 0 }) as { [name: string]: Json };
        const body =
          format === 'json'
            ? JSON.stringify(filledIn)
            : format === 'xml'
              ? xmlOf('r', shape, [], [], { n: 0 })
              : `<methodResponse><params><param>${rpcOf(filledIn)}</param></params></methodResponse>`;
        const catalog = catalogFor(
          [...new Set(['/*', ...Object.keys(filledIn).map((n) => `/${n}`), ...deeper])],
          ' whole',
        );
        const setting: Setting = {
          catalog,
          answer: all,
          ...(format === 'json' ? {} : { format: 'xml' }),
          ...(format === 'xmlrpc' ? { options: { dialect: 'xmlrpc' } } : {}),
        };
        expect(bytesOf(await partsOf(body, setting)).toString()).toBe(body);
      }),
      { numRuns },
    );
  });
});
