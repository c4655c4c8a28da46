/** Recognizes tokens of XML 1.0 that have one interpretation only, by their bytes. ASCII bytes must be ASCII characters at these places. */

/** 1: may begin a name, 2: may continue one */
export const NAME_CLASSES = new Uint8Array(256);
for (const c of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_')) NAME_CLASSES[c] = 3;
for (const c of Buffer.from('0123456789-.')) NAME_CLASSES[c] = 2;

/** Whether the bytes are an ASCII name without a prefix. */
export function isPlainName(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || (NAME_CLASSES[bytes[start]!]! & 1) === 0) return false;
  for (let i = start + 1; i < end; i++) if (NAME_CLASSES[bytes[i]!] === 0) return false;
  return true;
}

/** Whether the bytes are this name. */
export function isSameName(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let i = start; i < end; i++) if (bytes[i] !== name.charCodeAt(i - start)) return false;
  return true;
}

export const TEXT_OTHER = 0;
export const TEXT_LETTER = 1;
const BLANK = 2;
export const TEXT_LINE = 3;
/** no control characters, carriage returns, references, nor `]`, which may begin `]]>` */
const ASCII = new Uint8Array(256).fill(TEXT_LETTER, 0x21, 0x80);
ASCII[0x20] = BLANK;
ASCII[0x09] = BLANK;
ASCII[0x0a] = TEXT_LINE;
for (const c of Buffer.from('&]<')) ASCII[c] = TEXT_OTHER;
/** the same for valid UTF-8, without the characters that are encoded with 0xEF: U+FFFE and U+FFFF are not allowed */
export const TEXT_CLASSES = Uint8Array.from(ASCII);
TEXT_CLASSES.fill(TEXT_LETTER, 0x80, 0xef);
TEXT_CLASSES.fill(TEXT_LETTER, 0xf0);

export interface PlainText {
  readonly blank: boolean;
  readonly lines: number;
}
const BLANK_TEXT: PlainText = { blank: true, lines: 0 };
const BLANK_LINE: PlainText = { blank: true, lines: 1 };
const LETTERS: PlainText = { blank: false, lines: 0 };

/** @param utf8 the bytes are valid UTF-8 @returns null: the bytes are no text that is equal to its spelling */
export function plainText(bytes: Uint8Array, start: number, end: number, utf8: boolean): PlainText | null {
  const classes = utf8 ? TEXT_CLASSES : ASCII;
  let blank = true;
  let lines = 0;
  for (let i = start; i < end; i++) {
    const found = classes[bytes[i]!]!;
    if (found === TEXT_OTHER) return null;
    if (found === TEXT_LETTER) blank = false;
    else if (found === TEXT_LINE) lines++;
  }
  if (lines === 0) return blank ? BLANK_TEXT : LETTERS;
  return blank && lines === 1 ? BLANK_LINE : { blank, lines };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The text of valid UTF-8 that has no references but those to the predefined entities. */
export function contentOf(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes('&') ? text.replace(/&([a-z]+);/g, (_, name: string) => ENTITIES[name]!) : text;
}
