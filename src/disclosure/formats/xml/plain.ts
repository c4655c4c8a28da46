/** Recognizes tokens of XML 1.0 that have one interpretation only, by their bytes. ASCII bytes must be ASCII characters at these places. */

/** 1: may begin a name, 2: may continue one */
const NAME = new Uint8Array(256);
for (const c of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_')) NAME[c] = 3;
for (const c of Buffer.from('0123456789-.')) NAME[c] = 2;

/** Whether the bytes are an ASCII name without a prefix. */
export function isPlainName(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || (NAME[bytes[start]!]! & 1) === 0) return false;
  for (let i = start + 1; i < end; i++) if (NAME[bytes[i]!] === 0) return false;
  return true;
}

/** Whether the bytes are this name. */
export function isSameName(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  if (end - start !== name.length) return false;
  for (let i = start; i < end; i++) if (bytes[i] !== name.charCodeAt(i - start)) return false;
  return true;
}

const OTHER = 0;
const LETTER = 1;
const BLANK = 2;
const LINE = 3;
/** no control characters, carriage returns, references, nor `]`, which may begin `]]>` */
const ASCII = new Uint8Array(256).fill(LETTER, 0x21, 0x80);
ASCII[0x20] = BLANK;
ASCII[0x09] = BLANK;
ASCII[0x0a] = LINE;
for (const c of Buffer.from('&]<')) ASCII[c] = OTHER;
/** the same for valid UTF-8, without the characters that are encoded with 0xEF: U+FFFE and U+FFFF are not allowed */
const UTF8 = Uint8Array.from(ASCII);
UTF8.fill(LETTER, 0x80, 0xef);
UTF8.fill(LETTER, 0xf0);

export interface PlainText {
  readonly blank: boolean;
  readonly lines: number;
}
const BLANK_TEXT: PlainText = { blank: true, lines: 0 };
const BLANK_LINE: PlainText = { blank: true, lines: 1 };
const LETTERS: PlainText = { blank: false, lines: 0 };

/** @param utf8 the bytes are valid UTF-8 @returns null: the bytes are no text that is equal to its spelling */
export function plainText(bytes: Uint8Array, start: number, end: number, utf8: boolean): PlainText | null {
  const classes = utf8 ? UTF8 : ASCII;
  let blank = true;
  let lines = 0;
  for (let i = start; i < end; i++) {
    const found = classes[bytes[i]!]!;
    if (found === OTHER) return null;
    if (found === LETTER) blank = false;
    else if (found === LINE) lines++;
  }
  if (lines === 0) return blank ? BLANK_TEXT : LETTERS;
  return blank && lines === 1 ? BLANK_LINE : { blank, lines };
}
