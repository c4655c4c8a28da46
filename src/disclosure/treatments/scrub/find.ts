/** Finds everything in a text that identifies a person by its form, its label or the words around it. */
import { type View, viewsOf } from './decode.ts';
import { findEmails } from './emails.ts';
import { fold } from './fold.ts';
import { findLabelled } from './labelled.ts';
import { findNames } from './names.ts';
import { findNumbers } from './numbers.ts';
import { findPlates } from './plates.ts';
import { scan } from './scan.ts';
import { ENTITIES, type Entity, type Span } from './span.ts';
import { findSpokenNumbers } from './spoken.ts';

const rank = (span: Span): number => ENTITIES.indexOf(span.entity);

/** A span of the text. With a view, the value is read from the view, and `start` and `end` are positions in the text. */
export interface Found extends Span {
  readonly view?: { readonly of: View; readonly start: number; readonly end: number };
  /** only the end of the found value is left, which the mask of its kind would not recognise */
  readonly rest?: true;
}

/** The spans in order without overlaps; of two overlapping ones, the kind that is first in `ENTITIES` is kept. */
export function findEntities(text: string, wanted: ReadonlySet<Entity>): readonly Found[] {
  const { views, covered } = viewsOf(text);
  if (views.length === 0) return findIn(text, wanted);
  const all: Found[] = covered ? [] : findIn(text, wanted);
  for (const view of views) {
    for (const span of findIn(view.text, wanted)) {
      const start = view.starts[span.start]!;
      const end = view.ends[span.end - 1]!;
      all.push({ entity: span.entity, start, end, view: { of: view, start: span.start, end: span.end } });
    }
  }
  return united(all);
}

function findIn(text: string, wanted: ReadonlySet<Entity>): Span[] {
  const traits = scan(text);
  const plain = traits.folds && (traits.at || traits.digits || traits.plates) ? fold(text) : text;
  const all: Span[] = [];
  if (traits.at) findEmails(plain, all);
  if (traits.numbers) findNumbers(plain, all);
  if (traits.digits) findLabelled(plain, traits.document, traits.latin, all);
  if (traits.spoken) findSpokenNumbers(text, all);
  if (traits.plates) findPlates(plain, all);
  // concatenated, not spread: a hostile text has more spans than a call may have arguments
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
      // a name that overlaps a more reliable span keeps the part before it
      spans.pop();
      if (before.start < span.start) spans.push({ ...before, end: span.start });
      spans.push(span);
      if (before.end > span.end) spans.push({ ...before, start: span.end });
    }
  }
  return spans;
}

/** Merges spans of views and text: of two overlapping spans the longer is kept, and the part of the other beyond it. */
function united(all: Found[]): Found[] {
  all.sort((a, b) => a.start - b.start || b.end - a.end || rank(a) - rank(b));
  const spans: Found[] = [];
  for (const span of all) {
    const end = spans.at(-1)?.end ?? 0;
    if (span.start >= end) spans.push(span);
    else if (span.end > end) spans.push({ entity: span.entity, start: end, end: span.end, rest: true });
  }
  return spans;
}
