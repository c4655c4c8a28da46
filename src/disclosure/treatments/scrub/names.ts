/**
 * Names of persons that the text itself points out: after a label (`姓名：张三`, `Name: John Smith`), before or after a title
 * (`王五先生`, `Mr. Smith`), beside a number (`张伟 13812345678`). A name found so is looked for in the rest of the text too. Names without any label are not found: that
 * would take a model of the language, and a field that holds them wants dropping.
 */
import { findBeside } from './beside.ts';
import { findChineseNames } from './chinese-names.ts';
import { findEnglishNames } from './english-names.ts';
import { findOtherForms } from './forms.ts';
import type { Traits } from './scan.ts';
import type { Span } from './span.ts';

const HAN = /\p{Script=Han}/u;

/** so that a text with thousands of names stays linear */
const MOST_REPEATED = 8;

/** @param numbers what else was found in the text: a name may stand beside it */
export function findNames(text: string, traits: Traits, numbers: readonly Span[]): Span[] {
  const spans: Span[] = [];
  findChineseNames(text, traits.label, traits.title, spans);
  if (traits.latin) findEnglishNames(text, traits.titled, traits.oddLatin, spans);
  if (numbers.length > 0) findBeside(text, numbers, spans);
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
