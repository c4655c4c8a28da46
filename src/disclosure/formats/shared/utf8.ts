/** Writes texts as UTF-8 into a buffer that has room for them. Both functions return where the text ends. */

/** below this many characters a loop is faster than a native call */
const SHORT = 24;
const QUOTE = 0x22;

/** Writes a text as a JSON string (RFC 8259 §7), quotes included. */
export function writeJsonString(text: string, block: Buffer, from: number): number {
  if (text.length >= SHORT || !isPlain(text)) return writeUtf8(JSON.stringify(text), block, from);
  block[from] = QUOTE;
  const end = writeUtf8(text, block, from + 1);
  block[end] = QUOTE;
  return end + 1;
}

/** Whether a text needs no escape in a JSON string. */
function isPlain(text: string): boolean {
  for (let n = 0; n < text.length; n++) {
    const c = text.charCodeAt(n);
    if (c < 0x20 || c === 0x22 || c === 0x5c || (c >= 0xd800 && c <= 0xdfff)) return false;
  }
  return true;
}

export function writeUtf8(text: string, block: Buffer, from: number): number {
  if (text.length >= SHORT) return from + block.write(text, from, 'utf8');
  let at = from;
  for (let n = 0; n < text.length; n++) {
    const c = text.charCodeAt(n);
    if (c < 0x80) block[at++] = c;
    else if (c < 0x800) {
      block[at++] = 0xc0 | (c >> 6);
      block[at++] = 0x80 | (c & 0x3f);
    } else if (c < 0xd800 || c > 0xdfff) {
      block[at++] = 0xe0 | (c >> 12);
      block[at++] = 0x80 | ((c >> 6) & 0x3f);
      block[at++] = 0x80 | (c & 0x3f);
    } else return from + block.write(text, from, 'utf8');
  }
  return at;
}
