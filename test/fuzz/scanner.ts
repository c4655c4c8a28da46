/** The scanner in WebAssembly against the plain one, on damaged JSON: the same outcome, the same index, the same place of the fault. */
import { Automaton } from '../../src/disclosure/fields/automaton.ts';
import { MORE, STRIDE } from '../../src/disclosure/formats/json/entries.ts';
import { jsonScanner } from '../../src/disclosure/formats/json/scan.ts';
import { PlainScanner } from '../disclosure/plain-scan.ts';
import { catalogOf } from '../disclosure/support.ts';
import { damaged, Finding, type FuzzTarget, type Random } from './target.ts';

const automaton = new Automaton(
  catalogOf(
    {
      '/a': 'a/1',
      '/b/*/c': 'a/1',
      '/l/1': 'b/2',
      '/s/[n=x]/v': 'b/2',
      '/s/*/[m=1]/w': 'a/1',
      '/longer-than-eight': 'a/1',
    },
    { subjects: ['/a', '/b/*/c'], attributes: { l: '/l/1' } },
  ),
  new Map(),
);
const PIECES = [
  '{"a":',
  '"b":{"c":[',
  '"l":[1,',
  '"s":[{"n":"x","v":',
  '{"m":1,"w":',
  '"longer-than-eight":',
  '"longer-than-eighty":',
];
const TOKENS = [
  ...PIECES,
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"x"',
    '1.0e-7',
    'true',
    'false',
    'null',
    '\\',
    '\\u00e9',
    ' ',
    '\n',
    '\u0001',
  ],
];

function once(random: Random): void {
  const text = random.many(12, () => random.pick(TOKENS)).join('');
  const valid = `{"a":"${'x'.repeat(random.below(40))}","s":[{"v":[1,2],"n":"x"},{"n":"y"}],"b":{"q":{"c":{}}},"l":[0,{"z":[]}]}`;
  const bytes = damaged(Buffer.from(random.one(3) ? text : valid), random, TOKENS);
  const end = random.one(4) ? random.below(bytes.length + 1) : bytes.length;
  const final = random.one(2);
  const limit = random.pick([4, 40]);
  const plain = new PlainScanner(limit);
  const scanner = jsonScanner();
  const wanted = plain.scan(bytes, 0, end, automaton, automaton.root, 0, final);
  const page = scanner.begin(automaton, bytes, 0, bytes.length);
  const found = scanner.scan(0, end, automaton.root, 0, limit, final);
  const { entryCount, errorAt } = scanner;
  scanner.take();
  if (wanted !== found) throw new Finding(`it ends with ${found}, not ${wanted}`, bytes);
  if (wanted < 0) {
    if (wanted !== MORE && errorAt !== plain.errorAt)
      throw new Finding('it finds the fault elsewhere', bytes);
    return;
  }
  const entries = plain.keep().entries;
  const same =
    entries.length === entryCount * STRIDE && entries.every((word, n) => word === scanner.entriesOf(page)[n]);
  if (!same) throw new Finding('it writes another index', bytes);
}

export const scanner: FuzzTarget = { name: 'scanner', run: async (random) => once(random) };
