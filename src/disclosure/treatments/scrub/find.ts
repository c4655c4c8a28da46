/** Everything that identifies a person in a text, as far as its form, its label or the words around it tell. */
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

/** A span of the text, or of a view of it: then the value is read there, and `start` and `end` are places of the text. */
export interface Found extends Span {
  readonly view?: { readonly of: View; readonly start: number; readonly end: number };
  /** only the end of what was found is left: its kind's mask would not know it */
  readonly rest?: true;
}

/** Spans in order that do not overlap; of two that do, the kind that stands first in `ENTITIES` stays. */
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

/** What the views found beside the text: of two that overlap the longer one stays, and of the other what reaches beyond it. */
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
