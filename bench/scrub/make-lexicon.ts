/**
 * Makes `src/disclosure/treatments/scrub/lexicon-data.ts` from jieba's dictionary (MIT; `dict.txt` of the npm package `@node-rs/jieba`):
 * `node bench/scrub/make-lexicon.ts <dict.txt>`. Words are kept that are common, or that begin with a surname; their frequencies, and those of
 * the characters of given names, as powers of two.
 */
import '../../src/json-parse.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { isSurname } from '../../src/disclosure/treatments/masks/surnames.ts';

const COMMON = 100;
const RARE = 5;
const WIDTH = 40;

const words = new Map<string, number>();
const given = {
  first: new Map<string, number>(),
  second: new Map<string, number>(),
  only: new Map<string, number>(),
};
const count = (map: Map<string, number>, key: string): unknown => map.set(key, (map.get(key) ?? 0) + 1);

for (const line of readFileSync(process.argv[2]!, 'utf8').split('\n')) {
  const [word = '', times = '0', tag] = line.split(' ');
  const frequency = Number(times);
  if (!/^[\u4e00-\u9fff]{1,3}$/.test(word)) continue;
  // jieba tags many phrases as names: what begins with a surname and is as long as a name mostly is one
  if (tag === 'nr' && isSurname(word[0]!)) {
    if (word.length === 3) {
      count(given.first, word[1]!);
      count(given.second, word[2]!);
    } else if (word.length === 2) count(given.only, word[1]!);
  }
  if (tag === 'nr' && (word.length === 3 || frequency < 20)) continue;
  if (word.length === 1 || frequency >= COMMON || (frequency >= RARE && isSurname(word[0]!)))
    words.set(word, frequency);
}

/** for each power of two the words of each length, without anything between */
function table(entries: Iterable<readonly [string, number]>): string {
  const rows = Map.groupBy(entries, ([word, n]) => `${word.length} ${Math.round(Math.log2(n + 1))}`);
  const lines: string[] = [];
  for (const [head, group] of [...rows].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))) {
    const all = group
      .map(([word]) => word)
      .sort()
      .join('');
    const width = WIDTH * Number(head[0]);
    for (let at = 0; at < all.length; at += width) lines.push(`${head} ${all.slice(at, at + width)}`);
  }
  return lines.join('\n');
}

writeFileSync(
  new URL('../../src/disclosure/treatments/scrub/lexicon-data.ts', import.meta.url),
  `/**
 * Made by \`bench/scrub/make-lexicon.ts\` from the dictionary of jieba (https://github.com/fxsjy/jieba, MIT, © 2013 Sun Junyi). Longer than other
 * files because it is that list. A line: the length of its words, the power of two of their frequency, the words.
 */
export const WORDS = \`
${table(words)}
\`;

/** characters of given names: the first of two, the second of two, the only one */
export const GIVEN = {
  first: \`
${table(given.first)}
\`,
  second: \`
${table(given.second)}
\`,
  only: \`
${table(given.only)}
\`,
};
`,
);
