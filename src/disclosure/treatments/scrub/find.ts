/** Everything that identifies a person in a text, as far as its form or its label tells. */
import { findEmails } from './emails.ts';
import { fold } from './fold.ts';
import { findNames } from './names.ts';
import { findNumbers } from './numbers.ts';
import { findPlates } from './plates.ts';
import { scan } from './scan.ts';
import { ENTITIES, type Entity, type Span } from './span.ts';
import { findSpokenNumbers } from './spoken.ts';

const rank = (span: Span): number => ENTITIES.indexOf(span.entity);

/** Spans in order that do not overlap; of two that do, the kind that stands first in `ENTITIES` stays. */
export function findEntities(text: string, wanted: ReadonlySet<Entity>): Span[] {
  const traits = scan(text);
  const plain = traits.folds && (traits.at || traits.numbers || traits.plates) ? fold(text) : text;
  const all: Span[] = [];
  if (traits.at) findEmails(plain, all);
  if (traits.numbers) findNumbers(plain, all);
  if (traits.spoken) findSpokenNumbers(text, all);
  if (traits.plates) findPlates(plain, all);
  // concatenated, not spread: a hostile text has more spans than a call has arguments
  const names = wanted.has('person_name') ? findNames(text, traits, all) : [];
  return settled(all.length === 0 ? names : names.length === 0 ? all : all.concat(names), wanted);
}

function settled(all: Span[], wanted: ReadonlySet<Entity>): Span[] {
  if (all.length === 0) return all;
  if (all.length > 1) all.sort((a, b) => a.start - b.start || rank(a) - rank(b) || b.end - a.end);
  const spans: Span[] = [];
  for (const span of all) {
    if (!wanted.has(span.entity)) continue;
    const before = spans.at(-1);
    if (before === undefined || span.start >= before.end) spans.push(span);
    else if (rank(span) < rank(before)) {
      // a name that ran on into something surer keeps what stands before it
      spans.pop();
      if (before.start < span.start) spans.push({ ...before, end: span.start });
      spans.push(span);
      if (before.end > span.end) spans.push({ ...before, start: span.end });
    }
  }
  return spans;
}
