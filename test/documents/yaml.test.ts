import { describe, expect, test } from 'vitest';
import { spellFault } from '../../src/documents/faults.ts';
import { type Reading, readYaml, type YamlDocument } from '../../src/documents/yaml.ts';

const SLUICE: Reading = { dialect: 'sluice' };
const PERSONAL: Reading = { dialect: 'sluice', isPersonal: true, tags: 'refused' };

function document(text: string, reading?: Reading): YamlDocument {
  const yaml = readYaml('f.yaml', text, reading);
  if ('faults' in yaml) throw new Error(yaml.faults.map(spellFault).join('\n'));
  return yaml.document;
}

function faults(text: string, reading?: Reading): readonly string[] {
  const yaml = readYaml('f.yaml', text, reading);
  return 'faults' in yaml ? yaml.faults.map(spellFault) : [];
}

const NO_ANCHOR =
  'there is no anchor of this name (&name) before this alias; a text that begins with "*" needs quotes';

describe('a document', () => {
  const read = document('a:\n  b: [1, { c: 2 }]\n  d:\n');

  test.each<[string, readonly (string | number)[], 'key' | undefined, string]>([
    ['a value', ['a', 'b', 1, 'c'], undefined, '2:15'],
    ['the name of a member', ['a', 'b', 1, 'c'], 'key', '2:12'],
    ['an item', ['a', 'b', 0], undefined, '2:7'],
    ['the nearest value above one that is not there', ['a', 'b', 7], undefined, '2:6'],
    ['the whole', [], undefined, '1:1'],
  ])('knows the place of %s', (_what, path, key, place) => {
    expect(spellFault(read.fault(path, 'x', key))).toBe(`f.yaml:${place}: x`);
  });

  test('does not count a byte order mark as a column', () => {
    const text = 'a: { b: 1 }\nc: 2\n';
    const paths = [[], ['a'], ['a', 'b'], ['c']];
    const placesIn = (t: string) => paths.map((path) => document(t).fault(path, 'x', 'key'));
    expect(placesIn(`\ufeff${text}`)).toEqual(placesIn(text));
  });

  test('gives keys as text in the dialect of Sluice', () => {
    expect(document('007: a\n1.0: b\nno: c\n', SLUICE).value).toEqual({ '007': 'a', '1.0': 'b', no: 'c' });
  });

  test('takes merge keys in the dialect of OPA alone', () => {
    const text = 'a: &a { x: 1 }\nb: { <<: *a, y: 2 }\n';
    expect(document(text).value).toEqual({ a: { x: 1 }, b: { x: 1, y: 2 } });
    expect(document(text, SLUICE).value).toEqual({ a: { x: 1 }, b: { '<<': { x: 1 }, y: 2 } });
  });
});

describe('a fault', () => {
  test.each<[string, string, readonly string[]]>([
    [
      'syntax',
      'a: [1',
      ['f.yaml:1:6: flow sequence in block collection must be sufficiently indented and end with a ]'],
    ],
    [
      'a second document',
      'a: 1\n---\nb: 1\n',
      ['f.yaml:2:1: a second YAML document begins here (---): a file holds one'],
    ],
    [
      'each repeated key',
      'a: { b: 1, b: 2 }\na: 3\n',
      ['f.yaml:1:12: this key is there already', 'f.yaml:2:1: this key is there already'],
    ],
    ['an alias without an anchor', 'a: *x\n', [`f.yaml:1:4: ${NO_ANCHOR}`]],
    ['an anchor after its alias', 'a: *x\nb: &x 1\n', [`f.yaml:1:4: ${NO_ANCHOR}`]],
    [
      'a value that contains itself',
      'a: &x { b: *x }\n',
      ['f.yaml:1:12: the value of the anchor contains itself'],
    ],
    [
      'keys that are no texts',
      'a:\n  ? [1, 2]\n  : 3\n  ? { b: 1 }\n  : 4\n',
      [
        'f.yaml:2:5: this key is a list, a mapping or an alias: a key is a text',
        'f.yaml:4:5: this key is a list, a mapping or an alias: a key is a text',
      ],
    ],
    [
      'an alias as a key, which may repeat another key',
      '&x a: 1\n*x : 2\n',
      ['f.yaml:2:1: this key is a list, a mapping or an alias: a key is a text'],
    ],
    [
      'a merge of what is no mapping',
      'a: { <<: 5 }\n',
      ['f.yaml:1:1: merge sources must be maps or map aliases'],
    ],
  ])('is reported for %s', (_what, text, wanted) => {
    expect(faults(text)).toEqual(wanted);
  });

  test('is reported for aliases that multiply', () => {
    const names = 'bcdefgh'.split('');
    const text = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...names.map((l, i) => `${l}: &${l} [${Array(9).fill(`*${'abcdefg'[i]}`).join(',')}]`),
    ].join('\n');
    expect(faults(text)).toEqual(['f.yaml:1:1: aliases (*name) repeat too much of this file']);
  });

  test('is reported for an unknown tag in the dialect of Sluice alone', () => {
    expect(faults('a: !mine 1\n')).toEqual([]);
    expect(faults('a: !mine 1\n', SLUICE)).toEqual([expect.stringMatching(/^f\.yaml:1:4: unresolved tag/)]);
  });

  // Each of these texts would be a secret if it stood in quotes.
  test.each([
    '*hunter2',
    '!hunter2',
    '!hunter2 x',
    '!a!hunter2',
    '!<hunter2',
    '!{hunter2}',
    '|hunter2',
    '>hunter2',
    '"hunter2\\q"',
    '"a\\xhunter2"',
    '"a" hunter2',
    '@hunter2',
    '`hunter2',
    '%hunter2',
    '[hunter2',
    '{hunter2',
    '}hunter2',
    ']hunter2',
    ',hunter2',
    '- hunter2',
    '? hunter2',
    'hunter2: x',
    '"hunter2',
    '&a &hunter2 x',
    '&hunter2 *hunter2',
  ])('does not quote a value that is not in quotes: %s', (value) => {
    for (const text of [`secret: ${value}\n`, `keys: { secret: ${value} }\n`, `${value}\n`]) {
      const found = faults(text, SLUICE);
      expect(found.join('\n')).not.toContain('unter2');
      if (text.startsWith('secret')) expect(found).not.toEqual([]);
    }
  });

  test('names full-width punctuation on its line', () => {
    expect(faults('a：1\nb: 2\n')[0]).toContain('"：" (U+FF1A)');
  });

  test.each([
    'Zhang: [1',
    'a: *Zhang\n',
    'a: &Zhang { b: *Zhang }\n',
    'Zhang: 1\nZhang: 2\n',
    'a: !!str Zhang\n',
    'a: !Zhang 1\n',
    '? [Zhang]\n: 1\n',
  ])('quotes nothing of a file about people: %j', (text) => {
    const found = faults(text, PERSONAL);
    expect(found).not.toEqual([]);
    expect(found.join()).not.toContain('Zhang');
  });

  test('is found in time that grows with the number of keys', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n');
    expect(faults(`${many}\nk7: 2`)).toEqual(['f.yaml:20001:1: this key is there already']);
  });
});
