/**
 * `application/x-www-form-urlencoded`: one record with fields by decoded name (`/phone`) and position (`/#3`). Disclosed pairs keep their
 * percent-encoding; a dropped pair is removed with its name.
 */
import { SluiceError } from '../../../errors.ts';
import { type Charset, charset } from '../shared/charsets.ts';
import type { Format, Output } from '../format.ts';
import { onlyOptions } from '../shared/options.ts';
import type { Decision, TreeNode } from '../shared/tree.ts';
import { type Members, member, namesOf, replacement, SingleRecordReader } from '../shared/single-record.ts';

export const form: Format = {
  name: 'form',
  layout: 'single',
  media: { types: ['application/x-www-form-urlencoded'], charsetParameter: 'never' },
  open(setup) {
    onlyOptions('form', setup.options, []);
    const named = charset(setup.charset || 'utf-8');
    if (named.layout.startsWith('utf16'))
      throw new SluiceError(
        'response_charset_unknown',
        'A form cannot be in UTF-16, since its syntax is ASCII.',
      );
    return new SingleRecordReader(setup, (body) => parse(body, named, setup.limits.record_members));
  },
};

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const SEMICOLON = 0x3b;

interface Pair {
  readonly start: number;
  /** start of the value: after the `=`, or the end of the pair */
  readonly value: number;
  readonly end: number;
  readonly node: TreeNode | null;
}

function parse(body: Uint8Array, charset: Charset, most: number): Members {
  if (body.includes(SEMICOLON))
    throw malformed('has a ";", which some readers interpret as "&"; it must be encoded as %3B');
  const pairs: Pair[] = [];
  for (let start = 0; start <= body.length; ) {
    if (pairs.length === most)
      throw new SluiceError(
        'record_too_large',
        `The form, which is one record, has more than ${most} pairs (limits.record_members).`,
      );
    let name = start;
    while (name < body.length && body[name] !== AMPERSAND && body[name] !== EQUALS) name++;
    const found = body[name] === EQUALS ? body.indexOf(AMPERSAND, name) : name;
    const end = found < 0 ? body.length : found;
    const value = Math.min(name + 1, end);
    // `a=1&&b=2`: an empty pair is no field
    const node =
      start === end
        ? null
        : member(
            namesOf(charset.decode(unescaped(body.subarray(start, name))), pairs.length),
            charset.decode(unescaped(body.subarray(value, end))),
          );
    pairs.push({ start, value, end, node });
    start = end + 1;
  }
  return {
    nodes: pairs.flatMap(({ node }) => (node === null ? [] : [node])),
    render: (out, decisions) => render(out, body, charset, pairs, decisions),
  };
}

function render(
  out: Output,
  body: Uint8Array,
  charset: Charset,
  pairs: readonly Pair[],
  decisions: ReadonlyMap<TreeNode, Decision>,
): void {
  let written = false;
  for (const { start, value, end, node } of pairs) {
    const decision = node === null ? 'keep' : (decisions.get(node) ?? 'drop');
    if (decision === 'drop') continue;
    if (written) out.text('&');
    written = true;
    if (decision === 'keep') out.bytes(body, start, end);
    else {
      out.bytes(body, start, value);
      const text = replacement(decision);
      if (text !== null) out.text(escaped(charset.encode(text)));
    }
  }
}

/** URL Standard §5.1, but a `%` without two hexadecimal digits is refused, since readers differ. */
function unescaped(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0x25) && !bytes.includes(0x2b)) return bytes;
  const out = new Uint8Array(bytes.length);
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i]!;
    if (c === 0x2b) out[n++] = 0x20;
    else if (c !== 0x25) out[n++] = c;
    else {
      const hex = String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0);
      if (!/^[0-9a-fA-F]{2}$/.test(hex))
        throw malformed('has a "%" that two hexadecimal digits do not follow');
      out[n++] = Number.parseInt(hex, 16);
      i += 2;
    }
  }
  return out.subarray(0, n);
}

/** application/x-www-form-urlencoded percent-encode set */
function escaped(bytes: Uint8Array): string {
  let out = '';
  for (const b of bytes) {
    const c = String.fromCharCode(b);
    if (/[A-Za-z0-9*._-]/.test(c)) out += c;
    else out += c === ' ' ? '+' : `%${b.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

const malformed = (what: string): SluiceError => new SluiceError('response_malformed', `The form ${what}.`);
