/**
 * A strict model of RFC 9112, for what a caller sends: which requests a run of bytes holds, how each must be answered, and which of
 * them may reach the origin. It is written for clarity, on the whole bytes, and shares nothing with the product.
 */
import { METHODS } from 'node:http';

/** Where Sluice refuses on purpose what the RFC allows a server to take, and where it leaves to time what it does. */
export const DEVIATIONS = {
  'empty lines':
    'More than four empty lines before a request line are refused (§2.2 asks for one at least to be ignored).',
  'unknown method': 'A method that Node does not know is 400, not 501 (§3.2 of RFC 9110 has it as SHOULD).',
  version: 'HTTP/1.x beyond 1.1 is refused, and not taken for 1.1 (§2.3).',
  'repeated length':
    'Content-Length fields that agree are refused like those that differ (§6.3 leaves the choice).',
  'length and coding': 'Content-Length beside Transfer-Encoding is refused (§6.1 leaves the choice).',
  coding: 'A transfer coding other than chunked alone is 400, not 501 (§6.1).',
  'chunk extension': 'Chunk extensions are refused (§7.1.1 has them ignored).',
  trailer: 'Trailer fields are refused (§7.1.2).',
  'chunk size': 'A chunk size of more than eight digits is refused (§7.1 sets no limit).',
  upgrade:
    'CONNECT and Upgrade, unless to h2c, are 501 and end the connection (§7.8 of RFC 9110 has an upgrade ignored or taken).',
} as const;

export interface Expected {
  /** `bad`: refused and the connection ended; `either`: that or `ok`, see its deviation */
  readonly verdict: 'ok' | 'bad' | 'either';
  readonly why?: keyof typeof DEVIATIONS | 'RFC 9112';
  readonly method: string;
  /** value of X-Case, which names the request wherever it goes */
  readonly tag: string | null;
  readonly body: string;
  readonly bodiless: boolean;
  readonly interim: boolean;
  /** the answer is the last one on the connection whatever it says */
  readonly last: boolean;
}

export interface Reading {
  readonly requests: readonly Expected[];
  /** the bytes end within a request */
  readonly unfinished: boolean;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/(\\d)\\.(\\d)$`);
const FIELD_LINE = new RegExp(`^(${TOKEN}):([\\t\\x20-\\x7e\\x80-\\xff]*)$`);
const HEADER_BYTES = 16 * 1024;

/** @param text the bytes of a connection, as latin1 */
export function read(text: string): Reading {
  const requests: Expected[] = [];
  let at = 0;
  for (;;) {
    let emptyLines = 0;
    for (; text.startsWith('\r\n', at); at += 2) emptyLines++;
    if (at === text.length) return { requests, unfinished: false };
    if (emptyLines > 4) return { requests: [...requests, bad('empty lines')], unfinished: false };
    const end = text.indexOf('\r\n\r\n', at);
    if (end === -1) {
      // A part of a head that is wrong may be refused before its end has come.
      return { requests: [...requests, { ...bad('RFC 9112'), verdict: 'either' }], unfinished: true };
    }
    const found = request(text, at, end);
    requests.push(found.expected);
    if (found.expected.verdict === 'bad') return { requests, unfinished: false };
    if (found.until === null) return { requests, unfinished: true };
    if (found.expected.last) return { requests, unfinished: false };
    at = found.until;
  }
}

const bad = (why: Expected['why'] & string, more: Partial<Expected> = {}): Expected => ({
  method: '',
  tag: null,
  body: '',
  bodiless: false,
  interim: false,
  ...more,
  verdict: 'bad',
  why,
  last: true,
});

interface Found {
  readonly expected: Expected;
  /** null: its body is not whole */
  readonly until: number | null;
}

function request(text: string, at: number, end: number): Found {
  const refused = (why: Expected['why'] & string, more?: Partial<Expected>): Found => ({
    expected: bad(why, { bodiless, ...more }),
    until: null,
  });
  // An answer to HEAD has no body (RFC 9110 §9.3.2), even if the rest of the line is wrong.
  const bodiless = text.startsWith('HEAD ', at);
  const [line = '', ...lines] = text.slice(at, end).split('\r\n');
  const start = REQUEST_LINE.exec(line);
  if (start === null) return refused('RFC 9112');
  const [, method = '', , major, minor] = start;
  if (major !== '1' || (minor !== '0' && minor !== '1')) return refused('version');
  const fields: [string, string][] = [];
  for (const each of lines) {
    const field = FIELD_LINE.exec(each);
    if (field === null) return refused('RFC 9112');
    fields.push([field[1]!.toLowerCase(), field[2]!.replace(/^[ \t]+|[ \t]+$/g, '')]);
  }
  if (end - at > HEADER_BYTES) return refused('RFC 9112');
  const all = (name: string): string[] => fields.filter(([n]) => n === name).map(([, value]) => value);
  const listed = (name: string): string[] =>
    all(name).flatMap((value) => value.split(',').map((item) => item.trim().toLowerCase()));
  const known: Partial<Expected> = {
    method,
    tag: all('x-case').length === 1 ? all('x-case')[0]! : null,
    bodiless,
    interim: minor === '1' && all('expect').some((value) => value.toLowerCase() === '100-continue'),
  };
  if (!METHODS.includes(method)) return refused('unknown method', known);
  const lengths = all('content-length');
  const codings = all('transfer-encoding');
  if (lengths.length > 0 && codings.length > 0) return refused('length and coding', known);
  if (codings.length > 0 && minor === '0') return refused('RFC 9112', known);
  if (codings.length > 1 || (codings.length === 1 && codings[0]!.toLowerCase() !== 'chunked'))
    return refused('coding', known);
  if (lengths.length > 1) return refused('repeated length', known);
  if (lengths.some((value) => !/^\d+$/.test(value) || Number(value) > 1e14))
    return refused('RFC 9112', known);
  if (method === 'CONNECT') return refused('upgrade', known);
  const upgrade = all('upgrade').join(', ').toLowerCase();
  if (listed('connection').includes('upgrade') && upgrade !== '' && upgrade !== 'h2c')
    return refused('upgrade', known);

  const persistent =
    minor === '1' ? !listed('connection').includes('close') : listed('connection').includes('keep-alive');
  const ok = (body: string, more: Partial<Expected> = {}): Expected => ({
    method,
    tag: null,
    bodiless: false,
    interim: false,
    ...known,
    body,
    verdict: 'ok',
    last: !persistent,
    ...more,
  });
  const from = end + 4;
  if (codings.length === 0) {
    const until = from + Number(lengths[0] ?? 0);
    return { expected: ok(text.slice(from, until)), until: until <= text.length ? until : null };
  }
  const chunks = chunked(text, from);
  if (chunks === null) return { expected: ok(''), until: null };
  if (typeof chunks === 'string') return refused(chunks, known);
  return { expected: ok(chunks.body), until: chunks.until };
}

/** RFC 9112 §7.1; null: it is not whole, and well so far. */
function chunked(
  text: string,
  from: number,
): { readonly body: string; readonly until: number } | (Expected['why'] & string) | null {
  let body = '';
  let at = from;
  for (;;) {
    const end = text.indexOf('\r\n', at);
    const line = end === -1 ? text.slice(at) : text.slice(at, end);
    if (!/^[0-9a-fA-F]+$/.test(end === -1 ? `0${line.replace(/\r$/, '')}` : line))
      return /^[0-9a-fA-F]+[ \t]*;/.test(line) ? 'chunk extension' : 'RFC 9112';
    if (line.length > 8) return 'chunk size';
    if (end === -1) return null;
    const size = Number.parseInt(line, 16);
    at = end + 2;
    if (size === 0) {
      if (text.startsWith('\r\n', at)) return { body, until: at + 2 };
      return at + 2 > text.length && '\r\n'.startsWith(text.slice(at)) ? null : 'trailer';
    }
    body += text.slice(at, at + size);
    at += size;
    const close = text.slice(at, at + 2);
    if (close !== '\r\n') return '\r\n'.startsWith(close) ? null : 'RFC 9112';
    at += 2;
  }
}
