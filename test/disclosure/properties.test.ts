import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DisclosureAnswer, TreatmentName } from '../../src/model/answers.ts';
import type { Catalog, CatalogEntry } from '../../src/model/catalog.ts';
import { reference } from './reference.ts';
import { answer, bytesOf, catalogOf, disclosed, entry, partsOf, type Setting } from './support.ts';

const NAMES = ['a', 'b', 'c', '0', '1', 'n', 'v', '张', '__proto__x', 'k/~', 'q"\\'];
const name = fc.constantFrom(...NAMES);
const leaf = fc.oneof(
  fc.constantFrom(null, true, false, 0, -1.5, 'x', 'y', '', '1'),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));
const document = fc.oneof(fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true }), value);

const token = fc.oneof(
  { weight: 5, arbitrary: name.map((n) => n.replaceAll('~', '~0').replaceAll('/', '~1')) },
  { weight: 2, arbitrary: fc.constant('*') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('n', 'a'), fc.constantFrom('x', 'y', '1'))
      .map(([k, v]) => `[${k}=${v}]`),
  },
);
const pointer = fc.array(token, { maxLength: 4 }).map((tokens) => tokens.map((t) => `/${t}`).join(''));
const cls = fc.constantFrom('one/1', 'two/2', 'three/3', 'four/4');
const treatment = fc.constantFrom<TreatmentName[]>('disclose', 'disclose', 'mask', 'nullify', 'drop');
const line = fc.tuple(cls, fc.boolean()).map(([cls, whole]) => (whole ? `${cls} whole` : cls));
const lines = (line: fc.Arbitrary<string>) =>
  fc
    .dictionary(pointer, line, { maxKeys: 8, noNullPrototype: true })
    .map((fields) => catalogOf(fields as Record<string, string | CatalogEntry>));
const catalog = lines(line);
const says = fc
  .record({
    classes: fc.dictionary(cls, treatment),
    fields: fc.dictionary(pointer, treatment, { maxKeys: 2 }),
  })
  .map(({ classes, fields }) => answer({ ...classes }, { ...fields }));
const cuts = fc.array(fc.nat(5000), { maxLength: 12 });

/** one of the many ways in which JSON can be spelled */
const spelled = (document: unknown, seed: number): string => {
  let state = seed >>> 0;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % n;
  };
  const white = () => ['', '', '', ' ', '\n', '\t ', '\r\n'][random(7)]!;
  const string = (text: string) => {
    const plain = JSON.stringify(text);
    if (random(3) > 0) return plain;
    const units = text
      .split('')
      .map((u) =>
        random(2) ? `\\u${u.charCodeAt(0).toString(16).padStart(4, '0')}` : JSON.stringify(u).slice(1, -1),
      );
    return `"${units.join('')}"`;
  };
  const write = (v: unknown): string => {
    if (typeof v === 'string') return string(v);
    if (typeof v !== 'object' || v === null) return JSON.stringify(v);
    const items = Array.isArray(v)
      ? v.map((e) => white() + write(e) + white())
      : Object.entries(v).map(([k, e]) => `${white()}${string(k)}${white()}:${white()}${write(e)}${white()}`);
    const inside = items.length > 0 ? items.join(',') : white();
    return Array.isArray(v) ? `[${inside}]` : `{${inside}}`;
  };
  return white() + write(document) + white();
};

/** more of them: FC_RUNS=5000 npx vitest run test/disclosure/properties.test.ts */
const RUNS = Number(process.env['FC_RUNS'] ?? 100);

describe('whatever the body, the catalog, the answer and the cuts', () => {
  test('what leaves means what a plain JSON.parse implementation would let leave', async () => {
    await fc.assert(
      fc.asyncProperty(document, catalog, says, cuts, fc.nat(), async (doc, catalog, answer, cuts, seed) => {
        const body = spelled(doc, seed);
        const left = await disclosed(body, { catalog, answer, cuts });
        const wanted = reference(body, catalog, answer, '***');
        expect(JSON.stringify(JSON.parse(left))).toBe(wanted);
      }),
      { numRuns: RUNS * 3 },
    );
  });

  test('records of a list leave as they would leave alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { maxLength: 6 }),
        catalog,
        says,
        cuts,
        fc.nat(),
        async (docs, catalog, answer, cuts, seed) => {
          const body = spelled({ x: docs, items: docs }, seed);
          const left = await disclosed(body, {
            catalog,
            answer,
            cuts,
            records: '/items/*',
            limits: { part_bytes: 20 },
          });
          const alone = docs.map((doc) =>
            JSON.parse(reference(JSON.stringify(doc), catalog, answer, '***')!),
          );
          expect(JSON.parse(left)).toEqual({ items: alone });
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('with everything disclosed the very bytes leave', async () => {
    await fc.assert(
      fc.asyncProperty(
        document,
        catalog,
        cuts,
        fc.nat(),
        fc.boolean(),
        async (doc, some, cuts, seed, lines) => {
          const everything: Catalog = {
            ...some,
            fields: Object.fromEntries(
              Object.entries({ '': entry('one/1'), ...some.fields }).map(([pointer, line]) => [
                pointer,
                { ...line, whole: true },
              ]),
            ),
          };
          const all: DisclosureAnswer = answer({
            'one/1': 'disclose',
            'two/2': 'disclose',
            'three/3': 'disclose',
            'four/4': 'disclose',
          });
          const body = lines
            ? `${JSON.stringify(doc)}\n \n${JSON.stringify(doc)}`
            : spelled({ status: [seed], items: [doc, doc], b: [[], seed] }, seed);
          const setting: Setting = lines
            ? { catalog: everything, answer: all, cuts, format: 'ndjson' }
            : {
                catalog: { ...everything, envelope: { '/status': { is: 'status' }, '/b': { is: 'status' } } },
                answer: all,
                cuts,
                records: '/items/*',
              };
          const parts = await partsOf(body, { ...setting, limits: { part_bytes: 30 } });
          expect(bytesOf(parts).toString('latin1')).toBe(Buffer.from(body).toString('latin1'));
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('no scalar that was withheld stands in any byte or any line of the account', async () => {
    await fc.assert(
      fc.asyncProperty(
        document,
        catalog,
        says,
        cuts,
        fc.nat(),
        fc.boolean(),
        async (doc, catalog, answer, cuts, seed, lines) => {
          let count = 0;
          const canaries = new Set<string>();
          const marked = (v: unknown): unknown => {
            if (Array.isArray(v)) return v.map(marked);
            if (typeof v === 'object' && v !== null)
              return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, marked(e)]));
            // selectors need their values
            if (v === 'x' || v === 'y' || v === '1') return v;
            const canary = `canary-${count++}-`;
            canaries.add(canary);
            return canary;
          };
          const record = marked(doc);
          const text = JSON.stringify(record);
          const body = lines ? `${text}\n${text}\n` : spelled([record, record], seed);
          const parts = await partsOf(body, {
            catalog,
            answer,
            cuts,
            ...(lines ? { format: 'ndjson' } : { records: '/*' }),
          });
          const allowed = reference(text, catalog, answer, '***')!;
          const left = bytesOf(parts).toString();
          const account = JSON.stringify(parts.map((p) => p.summary));
          for (const canary of canaries) {
            if (!allowed.includes(canary)) expect(left).not.toContain(canary);
            expect(account).not.toContain(canary);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('the account does not depend on where the stream was cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { maxLength: 5 }),
        catalog,
        says,
        cuts,
        async (docs, catalog, answer, cuts) => {
          const body = JSON.stringify(docs);
          const whole = await partsOf(body, { catalog, answer, records: '/*' });
          const cut = await partsOf(body, { catalog, answer, records: '/*', cuts });
          expect(bytesOf(cut)).toEqual(bytesOf(whole));
          expect(cut.map((p) => p.summary)).toEqual(whole.map((p) => p.summary));
        },
      ),
      { numRuns: RUNS },
    );
  });
});
