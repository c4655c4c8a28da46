/** Builds the tree of a record from its index, as far as it is scanned. */
import type { Builder } from './build.ts';
import { contentOf } from './plain.ts';
import { CLOSE, END, NAME, type PlainNames, START, STRIDE, TAG_END } from './plain-index.ts';
import { isBlank, type ParsedTag, plainTag, Text } from './tree.ts';

export interface Rows {
  readonly words: Int32Array;
  readonly names: PlainNames;
  /** first word of the record */
  readonly first: number;
  readonly rows: number;
  readonly bytes: Buffer;
  readonly base: number;
}

/**
 * @param builder has the root
 * @param end where the last token ends
 */
export function grow(builder: Builder, { words, names, first, rows, bytes, base }: Rows, end: number): void {
  let at = words[first + TAG_END]!;
  const text = (until: number): void => {
    if (until === at) return;
    const value = contentOf(bytes, base + at, base + until);
    builder.text(new Text(at, until, value, isBlank(value)));
  };
  const open = [0];
  /** Closes the elements that end before `until`. */
  const close = (until: number): void => {
    while (open.length > 0) {
      const word = first + open.at(-1)! * STRIDE;
      const closes = words[word + END]!;
      if (closes > until || closes === words[word + TAG_END]!) return;
      text(words[word + CLOSE]!);
      builder.end(words[word + CLOSE]!, closes);
      at = closes;
      open.pop();
    }
  };
  for (let row = 1; row < rows; row++) {
    const word = first + row * STRIDE;
    const start = words[word + START]!;
    close(start);
    text(start);
    const number = words[word + NAME]!;
    const name = names.spelled[number]!;
    const tag: ParsedTag = { name, local: name, uri: names.space, attributes: [], plain: true };
    at = words[word + TAG_END]!;
    const isEmpty = bytes[base + at - 2] === 0x2f;
    builder.start(plainTag(tag, { start, end: at }, isEmpty, names.names[number]!));
    if (!isEmpty) open.push(row);
  }
  close(end);
}
