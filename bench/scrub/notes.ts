/**
 * The second measurement of `scrub`: notes written by hand (call centre, claims, shop; mainland, Hong Kong, Taiwan, English), not made
 * from templates: `node bench/scrub/notes.ts [--misses]`. The finders were mended against `notes-seen.txt`; `notes-unseen.txt` was written
 * afterwards; `notes-new.txt` was written before names were looked for by a lexicon, and nothing was mended for it: its figures are those
 * to be expected elsewhere.
 *
 * A note a line, `⏎` for a line break and `\z` for a zero-width space in it; `{n|张伟}` labels a span. `u` are people that nothing but
 * their name points out, `t` a surname with a title, and `o` numbers of kinds that are not looked for (a US social security number).
 */
import '../../src/json-parse.ts';
import { readFileSync } from 'node:fs';
import { findEntities } from '../../src/disclosure/treatments/scrub/find.ts';
import { ENTITIES } from '../../src/disclosure/treatments/scrub/span.ts';

const KINDS = {
  n: 'person_name',
  u: 'person_name that nothing points out',
  p: 'phone',
  l: 'landline',
  i: 'national_id',
  c: 'bank_card',
  e: 'email',
  v: 'plate',
  d: 'passport',
  o: 'not looked for',
  t: 'a surname with a title',
} as const;
type Kind = (typeof KINDS)[keyof typeof KINDS];

interface Labelled {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
}
interface Note {
  readonly text: string;
  readonly spans: readonly Labelled[];
}

const isKind = (letter: string): letter is keyof typeof KINDS => Object.hasOwn(KINDS, letter);
const spelled = (text: string): string => text.replaceAll('⏎', '\n').replaceAll('\\z', '\u200b');

function parsed(line: string): Note {
  const spans: Labelled[] = [];
  let text = '';
  let from = 0;
  for (const found of line.matchAll(/\{([a-z])\|([^}]*)\}/g)) {
    const [whole, letter, value] = found;
    if (!isKind(letter!)) throw new Error(`no kind of span is called ${letter}`);
    text += spelled(line.slice(from, found.index));
    const start = text.length;
    text += spelled(value!);
    spans.push({ kind: KINDS[letter], start, end: text.length });
    from = found.index + whole.length;
  }
  return { text: text + spelled(line.slice(from)), spans };
}

export type Notes = 'seen' | 'unseen' | 'new';

export const notesOf = (name: Notes): readonly Note[] =>
  readFileSync(new URL(`./notes-${name}.txt`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map(parsed);

export interface Tally {
  labelled: number;
  /** every letter and digit of it is in a span that is masked */
  hidden: number;
  /** some are */
  part: number;
}

export interface Measured {
  readonly byKind: ReadonlyMap<Kind, Tally>;
  /** spans that are masked and touch nothing that is labelled */
  readonly destroyed: number;
  /** spans masked as names, and those of them that touch nothing that is labelled */
  readonly names: { readonly claimed: number; readonly wrong: number };
  readonly misses: readonly string[];
}

const WORD = /[\p{L}\p{N}]/u;

export function measured(notes: readonly Note[]): Measured {
  const byKind = new Map<Kind, Tally>(
    Object.values(KINDS).map((kind) => [kind, { labelled: 0, hidden: 0, part: 0 }]),
  );
  const misses: string[] = [];
  let destroyed = 0;
  const names = { claimed: 0, wrong: 0 };
  for (const { text, spans } of notes) {
    const found = findEntities(text, new Set(ENTITIES));
    const near = (start: number, end: number): string =>
      `"${text.slice(start, end)}" in …${text.slice(Math.max(0, start - 16), end + 16)}…`;
    for (const { kind, start, end } of spans) {
      const tally = byKind.get(kind)!;
      const places = Array.from({ length: end - start }, (_, i) => start + i).filter((at) =>
        WORD.test(text[at]!),
      );
      const covered = places.filter((at) => found.some((span) => span.start <= at && at < span.end)).length;
      tally.labelled += 1;
      if (covered === places.length) tally.hidden += 1;
      else {
        if (covered > 0) tally.part += 1;
        misses.push(`- ${kind} ${near(start, end)}`);
      }
    }
    for (const span of found) {
      if (span.entity === 'person_name') names.claimed += 1;
      if (spans.some(({ start, end }) => start < span.end && span.start < end)) continue;
      destroyed += 1;
      if (span.entity === 'person_name') names.wrong += 1;
      misses.push(`+ ${span.entity} ${near(span.start, span.end)}`);
    }
  }
  return { byKind, destroyed, names, misses };
}

export function printNotes(name: Notes): void {
  const notes = notesOf(name);
  const { byKind, destroyed, names, misses } = measured(notes);
  console.log(`\n${name}: ${notes.length} notes\n`);
  console.log('| entity | labelled | masked whole | in part | left |\n|---|---:|---:|---:|---:|');
  for (const [kind, { labelled, hidden, part }] of byKind)
    if (labelled > 0)
      console.log(`| ${kind} | ${labelled} | ${hidden} | ${part} | ${labelled - hidden - part} |`);
  const { labelled, hidden } = byKind.get('person_name')!;
  const percent = (part: number, whole: number): string => ((100 * part) / whole).toFixed(1);
  console.log(`\nmasked, and nobody's: ${destroyed}`);
  console.log(
    `names: recall ${percent(hidden, labelled)} %, precision ${percent(names.claimed - names.wrong, names.claimed)} %`,
  );
  if (process.argv.includes('--misses')) for (const miss of misses) console.log(miss.replaceAll('\n', '⏎'));
}

if (import.meta.main) for (const name of ['seen', 'unseen', 'new'] as const) printNotes(name);
