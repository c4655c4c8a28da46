/**
 * `npm run bench -- scrub [--notes 20000] [--seed 7] [--misses 20]`: precision and recall of `scrub` on a generated corpus, then on notes that
 * were written by hand (`scrub/notes.ts`). A span counts as found if its kind, start and end are right. `left` counts labelled values that can
 * still be read completely.
 */
import '../src/json-parse.ts';
import { parseArgs } from 'node:util';
import { findEntities } from '../src/disclosure/treatments/scrub/find.ts';
import { ENTITIES, type Entity } from '../src/disclosure/treatments/scrub/span.ts';
import { scrubText } from '../src/disclosure/treatments/scrub.ts';
import { corpus } from './scrub/corpus.ts';
import { printNotes } from './scrub/notes.ts';
import { seeded } from './scrub/random.ts';

const { values } = parseArgs({
  options: {
    notes: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '7' },
    misses: { type: 'string', default: '0' },
  },
});
const notes = corpus(seeded(Number(values.seed)), Number(values.notes));
const wanted = new Set(ENTITIES);
const shown = Number(values.misses);

interface Tally {
  labelled: number;
  found: number;
  claimed: number;
  left: number;
}
const tallies = new Map<Entity, Tally>(
  ENTITIES.map((entity) => [entity, { labelled: 0, found: 0, claimed: 0, left: 0 }]),
);
const misses: string[] = [];

/** of processor time, so that what else the machine does is not counted; the fastest pass, since the first ones compile */
let seconds = Number.POSITIVE_INFINITY;
for (let pass = 0; pass < 8; pass += 1) {
  const started = process.cpuUsage();
  for (const note of notes) scrubText(note.text);
  const { user, system } = process.cpuUsage(started);
  seconds = Math.min(seconds, (user + system) / 1e6);
}
const bytes = notes.reduce((sum, note) => sum + Buffer.byteLength(note.text), 0);

for (const note of notes) {
  const found = findEntities(note.text, wanted);
  const scrubbed = scrubText(note.text);
  const key = (span: { entity: string; start: number; end: number }): string =>
    `${span.entity} ${span.start} ${span.end}`;
  const labels = new Set(note.spans.map(key));
  const claims = new Set(found.map(key));
  for (const span of found) {
    tallies.get(span.entity)!.claimed += 1;
    if (!labels.has(key(span)))
      misses.push(`+ ${span.entity} "${note.text.slice(span.start, span.end)}" in ${note.text}`);
  }
  for (const span of note.spans) {
    const tally = tallies.get(span.entity)!;
    const value = note.text.slice(span.start, span.end);
    tally.labelled += 1;
    if (claims.has(key(span))) tally.found += 1;
    else misses.push(`- ${span.entity} "${value}" in ${note.text}`);
    if (value.length > 1 && scrubbed.includes(value)) tally.left += 1;
  }
}

const percent = (part: number, whole: number): string =>
  whole === 0 ? '—' : ((100 * part) / whole).toFixed(2);
console.log('| entity | labelled | precision % | recall % | left readable |');
console.log('|---|---:|---:|---:|---:|');
for (const [entity, t] of tallies)
  console.log(
    `| ${entity} | ${t.labelled} | ${percent(t.found, t.claimed)} | ${percent(t.found, t.labelled)} | ${t.left} |`,
  );
const sum = (name: keyof Tally): number =>
  [...tallies.values()].reduce((total, tally) => total + tally[name], 0);
console.log(
  `| all | ${sum('labelled')} | ${percent(sum('found'), sum('claimed'))} | ${percent(sum('found'), sum('labelled'))} | ${sum('left')} |`,
);
console.log(
  `\n${notes.length} notes, ${(bytes / 1e6).toFixed(1)} MB: ${((1e6 * seconds) / notes.length).toFixed(1)} µs of processor time a note, ${(bytes / 1e6 / seconds).toFixed(1)} MB/s`,
);
for (const miss of misses.slice(0, shown)) console.log(miss.replaceAll('\n', '⏎'));
for (const name of ['seen', 'unseen', 'new'] as const) printNotes(name);
