/**
 * Finds names of persons by a label (`姓名：张三`, `Name: John Smith`), a title (`王五先生`, `Mr. Smith`) or a number next to them (`张伟 13812345678`). Names
 * found this way are searched in the rest of the text too. Names without a label are found by a lexicon, which misses three of ten: a field that must
 * not show any name should be dropped.
 */
import { findBeside } from './beside.ts';
import { findChineseNames } from './chinese-names.ts';
import { findEnglishNames } from './english-names.ts';
import { findOtherForms } from './forms.ts';
import { findKnownNames } from './known-names.ts';
import { findByLexicon } from './lexicon.ts';
import type { Traits } from './scan.ts';
import type { Span } from './span.ts';

const HAN = /\p{Script=Han}/u;

/** limit of names to search for, so that the time stays linear */
const MOST_REPEATED = 8;

/** @param numbers the other spans of the text, which may have names next to them */
export function findNames(text: string, traits: Traits, numbers: readonly Span[]): Span[] {
  const spans: Span[] = [];
  findChineseNames(text, traits.label, traits.title, spans);
  if (traits.latin) findEnglishNames(text, traits.titled, traits.oddLatin, spans);
  if (numbers.length > 0) findBeside(text, numbers, spans);
  const surer = numbers.length === 0 ? spans : spans.concat(numbers);
  const others: Span[] = [];
  if (traits.han) findByLexicon(text, others);
  if (traits.latin) findKnownNames(text, others);
  if (others.length > 0) for (const span of apart(others, surer)) spans.push(span);
  if (spans.length === 0) return spans;
  findOtherForms(text, spans);
  const names = new Set<string>();
  for (const { start, end } of spans) {
    const name = text.slice(start, end);
    if (name.length >= (HAN.test(name) ? 2 : 4)) names.add(name);
    if (names.size === MOST_REPEATED) break;
  }
  for (const name of names) {
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length))
      spans.push({ entity: 'person_name', start: at, end: at + name.length });
  }
  return spans;
}

/** The spans of `others` that overlap none of `surer`. */
function apart(others: Span[], surer: readonly Span[]): Span[] {
  if (surer.length === 0) return others;
  const sorted = surer.toSorted((a, b) => a.start - b.start);
  others.sort((a, b) => a.start - b.start);
  const left: Span[] = [];
  let next = 0;
  let reach = 0;
  for (const span of others) {
    while (next < sorted.length && sorted[next]!.start < span.end) {
      reach = Math.max(reach, sorted[next]!.end);
      next += 1;
    }
    if (reach <= span.start) left.push(span);
  }
  return left;
}
