/** `sluice fmt`: what a file means, its comments and its order stay, whatever the file; and there is one way to write it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { Lexer, parse } from 'yaml';
import { formatYaml } from '../../src/documents/format.ts';
import { ROOT, sluice } from './support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-fmt-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const formatted = (text: string): string => {
  const result = formatYaml(text);
  if ('refused' in result) throw new Error(result.refused);
  return result.text;
};

test.each([
  ['white space', 'a:   1   \n\n\n\nb: 2', 'a: 1\n\nb: 2\n'],
  ['line breaks of Windows', 'a: 1\r\nb: 2\r\n', 'a: 1\nb: 2\n'],
  ['indentation', 'a:\n      b:\n        - 1\n', 'a:\n  b:\n    - 1\n'],
  ['brackets', 'a: [ 1,2 ]\nb: {c: 1,  d: {e: [ ]}}\n', 'a: [1, 2]\nb: { c: 1, d: { e: [] } }\n'],
  ['what takes several lines', 'a: { b: 1,\n  c: [x, y] }\n', 'a:\n  b: 1\n  c: [x, y]\n'],
  [
    'comments',
    '# top\na: 1 # one\nb: # two\n   c: 1\n# end\n',
    '# top\na: 1 # one\nb: # two\n  c: 1\n\n# end\n',
  ],
  [
    'spelling of scalars',
    'a: 4820.50\nb: yes\nc: 007\nd: "110101"\ne: \'x\'\nf: 88004406228646301258\ng: 1e3\nh: ~\ni:\nj: 2026-01-01\nk: 0x1F\n',
    null,
  ],
  ['anchors and aliases', 'a: &x { b: 1 }\nc: *x\nd:\n  <<: *x\n', null],
  ['marks of a whole document', '# head\n---\na: 1\n...\n', null],
  ['texts of several lines', 'a: |\n  one  \n\n\n  two\nb: >-\n  three words\n\n  four\nc: 1\n', null],
  ['long lines', `a: "${'word '.repeat(60)}"\nb: { c: "${'word '.repeat(60)}" }\n`, null],
])('%s', (_what, text, wanted) => {
  expect(formatted(text)).toBe(wanted ?? text);
});

test.each([
  ['two documents', 'a: 1\n---\nb: 2\n'],
  ['broken syntax', 'a: {\n'],
  ['nothing', '# only a comment\n'],
])('leaves %s as it is, and says why', (_what, text) => {
  expect(formatYaml(text)).toMatchObject({ refused: expect.any(String) });
});

/** YAML as people write it: any mixture of blocks and brackets, with comments and odd white space. */
const scalar = fc.constantFrom(
  '1',
  '4820.50',
  'yes',
  'No',
  '007',
  '0o17',
  '1_000',
  '~',
  'null',
  '.inf',
  '2026-01-01',
  '12:30:45',
  '"a # b"',
  "'it''s'",
  '"\\u00e9\\n"',
  'plain text',
  '/orders/*/item',
  '138****5678',
  '"*"',
  '张三',
  '!!str 1',
  '9007199254740993',
);
const comment = fc.constantFrom('', ' # why', '   # x: {y}  ', ' #');
const blank = fc.constantFrom('', '\n', '\n\n\n', '# on its own\n', '\n# after an empty line\n');
const flow: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('node'), { maxLength: 3 }).map((l) => `[${l.join(' ,')}]`),
    fc.array(tie('node'), { maxLength: 3 }).map((l) => `{${l.map((v, i) => ` k${i}:  ${v}`).join(',')}}`),
  ),
})).node;
const brokenFlow = fc
  .array(flow, { minLength: 1, maxLength: 3 })
  .map((l) => `[ ${l.join(',\n            ')}]`);
interface Tree {
  readonly kind: 'map' | 'list';
  readonly step: number;
  readonly items: readonly {
    readonly text?: string;
    readonly tree?: Tree;
    readonly comment: string;
    readonly blank: string;
  }[];
}
const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    kind: fc.constantFrom('map' as const, 'list' as const),
    step: fc.constantFrom(1, 2, 4),
    items: fc.array(
      fc.oneof(
        { depthSize: 'small' },
        fc.record({ text: fc.oneof(flow, flow, brokenFlow), comment, blank }),
        fc.record({ tree: tie('tree'), comment, blank }),
      ),
      { minLength: 1, maxLength: 4 },
    ),
  }) as fc.Arbitrary<Tree>,
})).tree;
const spelled = ({ kind, step, items }: Tree, indent: number): string =>
  items
    .map(({ text, tree: below, comment: behind, blank: before }, i) => {
      const at = ' '.repeat(indent);
      const lead = before.replace(/^(?=#)/gm, at);
      const head = kind === 'map' ? `${at}key${i}:` : `${at}-`;
      return below === undefined
        ? `${lead}${head} ${text}${behind}\n`
        : `${lead}${head}${behind}\n${spelled(below, indent + step)}`;
    })
    .join('');

const commentsOf = (text: string): string[] =>
  [...new Lexer().lex(text)].filter((t) => t.startsWith('#')).map((t) => t.trim());

test('of generated files, the meaning by YAML 1.1 and 1.2 and all comments stay, and formatting again changes nothing', () => {
  let done = 0;
  fc.assert(
    fc.property(tree, (t) => {
      const text = spelled(t, 0);
      const result = formatYaml(text);
      if ('refused' in result) {
        // What cannot be kept is left alone; the file is not YAML only if the reader says so.
        expect(result.refused).toMatch(/comment|not YAML/);
        return;
      }
      done += 1;
      for (const version of ['1.1', '1.2'] as const) {
        const value = (s: string): unknown => parse(s, { version, intAsBigInt: true, logLevel: 'error' });
        expect(value(result.text)).toEqual(value(text));
      }
      expect(commentsOf(result.text)).toEqual(commentsOf(text));
      expect(formatYaml(result.text)).toEqual(result);
    }),
    { numRuns: 400 },
  );
  expect(done).toBeGreaterThan(320);
});

describe('the command', () => {
  test('the policies of this repository are formatted', async () => {
    const said = await sluice([
      'fmt',
      '--check',
      'policies',
      'examples/insurer',
      'examples/tryton/policies',
      'examples/formats/policies',
    ]);
    expect([said.code, said.out, said.err]).toEqual([0, '', '']);
  });
  test('--check names what is written otherwise and writes nothing; without it the file is written', async () => {
    const [good, bad, broken] = ['good.yaml', 'bad.yaml', 'broken.yaml'].map((f) => join(dir, f));
    writeFileSync(good!, 'a: [1]\n');
    writeFileSync(bad!, 'a: [ 1 ]\n');
    const checked = await sluice(['fmt', '--check', '.'], { cwd: dir });
    expect([checked.code, checked.out]).toEqual([1, 'bad.yaml: not formatted\n']);
    expect(readFileSync(bad!, 'utf8')).toBe('a: [ 1 ]\n');
    expect((await sluice(['fmt', '.'], { cwd: dir })).code).toBe(0);
    expect(readFileSync(bad!, 'utf8')).toBe('a: [1]\n');
    writeFileSync(broken!, 'a: {\n');
    const refused = await sluice(['fmt', dir]);
    expect([refused.code, readFileSync(broken!, 'utf8')]).toEqual([1, 'a: {\n']);
    expect(refused.err).toMatch(/broken\.yaml is left as it is: it is not YAML/);
    expect((await sluice(['fmt', join(ROOT, 'nowhere')])).code).toBe(3);
  });
});
