/** Text in columns of a terminal, where a Chinese character takes two. */
import stringWidth from 'string-width';

/** `1 fault`, `2 faults` */
export const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** @param ms since 1970 @returns `2026-11-30 18:58`, UTC */
export const moment = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

/** @param ms since 1970 @returns `2026-11-30`, UTC */
export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Ranges of consecutive numbers: 3, 4, 5, 7 are 3–5 and 7. @param numbers in any order */
export function spansOf(numbers: readonly number[]): [number, number][] {
  const spans: [number, number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last !== undefined && last[1] === n - 1) last[1] = n;
    else spans.push([n, n]);
  }
  return spans;
}

export const spellSpans = (spans: readonly (readonly [number, number])[]): string =>
  spans.map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`)).join(', ');

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/**
 * Lines of at most `columns` columns. Control characters become `·`, so that data cannot control the terminal.
 * @param at `spaces`: broken behind a space, if the second half of a line has one; else anywhere
 */
export function wrap(text: string, columns: number, at: 'spaces' | 'anywhere' = 'anywhere'): string {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    let used = 0;
    for (const { segment } of segmenter.segment(paragraph.replace(/[\u0000-\u001f\u007f-\u009f]/g, '·'))) {
      const w = stringWidth(segment);
      if (used + w > columns && line !== '') {
        const space = at === 'spaces' ? line.lastIndexOf(' ') : -1;
        const rest = space >= line.length / 2 ? line.slice(space + 1) : '';
        lines.push(rest === '' ? line : line.slice(0, space));
        line = rest;
        used = stringWidth(rest);
      }
      line += segment;
      used += w;
    }
    lines.push(line);
  }
  return lines.join('\n');
}
