/** Wraps text for a terminal of a given width. */
import type { Io } from '../io.ts';

/** narrower lines are unreadable, wider ones are not used */
const [LEAST, MOST] = [60, 120];
const PIPED = 100;

export function widthOf(io: Io): number {
  const { columns } = io.stdout as NodeJS.WriteStream;
  const told = columns ?? Number(io.env['COLUMNS'] ?? PIPED);
  return Math.min(MOST, Math.max(LEAST, Number.isFinite(told) ? told : PIPED));
}

/** Lines of at most `width` characters, broken at spaces; continuation lines are indented further. */
export function wrapped(text: string, width: number, indent = '', hanging = `${indent}  `): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    const start = lines.length === 0 ? indent : hanging;
    if (line !== start && line.length + 1 + word.length > width) {
      lines.push(line);
      line = hanging + word;
    } else line = line === start ? line + word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}
