/** Requests as callers send them, and as those do who want two readers to see different requests. */
import { damaged, type Random } from './target.ts';

export interface HttpCase {
  /** the requests, in order; the last asks for the connection to be closed */
  readonly requests: readonly string[];
  /** the statuses that requests must have which nobody has twisted; null: any */
  readonly statuses: readonly (number | null)[];
  /** how many bytes go out at a time, at most */
  readonly piece: number;
}

interface Made {
  readonly text: string;
  readonly status: number | null;
}

const JSON_BODY = '{"city":"x"}';

function plain(random: Random, tag: string, auth: string, close = ''): Made {
  const line = (method: string, path: string) =>
    `${method} ${path} HTTP/1.1\r\nHost: a\r\n${auth}X-Case: ${tag}\r\n${close}`;
  const path = `/customers/C${random.below(100)}`;
  const typed = 'Content-Type: application/json\r\n';
  switch (random.below(10)) {
    case 0:
      return { text: `${line('HEAD', path)}\r\n`, status: 200 };
    case 1:
      return { text: `${line('GET', '/nothing')}\r\n`, status: 404 };
    case 2:
      return { text: `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Case: ${tag}\r\n${close}\r\n`, status: 401 };
    case 3:
    case 4:
      return { text: `${line('PUT', path)}${typed}Content-Length: 12\r\n\r\n${JSON_BODY}`, status: 200 };
    case 5:
      return {
        text: `${line('PUT', path)}${typed}Content-Length: 12\r\nExpect: 100-continue\r\n\r\n${JSON_BODY}`,
        status: 200,
      };
    case 6:
      return {
        text: `${line('PUT', path)}${typed}Transfer-Encoding: chunked\r\n\r\n${chunks(random)}`,
        status: null,
      };
    case 7:
      return {
        text: `${line('PUT', '/nothing')}${typed}Content-Length: 12\r\n\r\n${JSON_BODY}`,
        status: 404,
      };
    default:
      return { text: `${line('GET', path)}\r\n`, status: 200 };
  }
}

const chunks = (random: Random): string => {
  const at = 1 + random.below(JSON_BODY.length - 1);
  const size = (n: number): string =>
    random.pick([n.toString(16), n.toString(16).toUpperCase(), `0${n.toString(16)}`]);
  return `${size(at)}\r\n${JSON_BODY.slice(0, at)}\r\n${size(JSON_BODY.length - at)}\r\n${JSON_BODY.slice(at)}\r\n0\r\n\r\n`;
};

type Twist = (text: string, random: Random, tag: string) => string;
/** puts a line into the head, before or behind the others */
const field =
  (...lines: readonly string[]): Twist =>
  (text, random) => {
    const line = random.pick(lines);
    return random.one(2)
      ? text.replace('\r\n', `\r\n${line}\r\n`)
      : text.replace('\r\n\r\n', `\r\n${line}\r\n\r\n`);
  };
const line =
  (...changes: readonly ((line: string) => string)[]): Twist =>
  (text, random) => {
    const end = text.indexOf('\r\n');
    return random.pick(changes)(text.slice(0, end)) + text.slice(end);
  };
const inside = (tag: string): string =>
  `GET /customers/SMUGGLED HTTP/1.1\r\nHost: a\r\nX-Case: ${tag}.s\r\n\r\n`;

const TWISTS: readonly Twist[] = [
  // what stands before a request line
  (text, random) =>
    random.pick(['\n', '\r', '\r\r\n', '\n\r', ' ', '\t', '\0', '\r\n\n', '\r\n \r\n']) + text,
  (text, random) => '\r\n'.repeat(1 + random.below(7)) + text,
  line(
    (l) => l.replace(' ', '  '),
    (l) => l.replace(' HTTP', '  HTTP'),
    (l) => l.replace(' HTTP', '\tHTTP'),
    (l) => `${l} `,
    (l) => `${l}\t`,
    (l) => l.toLowerCase(),
    (l) => l.replace('HTTP', 'http'),
    (l) => l.replace(/^\w+/, (m) => m.toLowerCase()),
    (l) => l.replace(/^\w+/, 'JUMP'),
    (l) => l.replace(/^\w+/, 'OPTIONS'),
    (l) => l.replace(/ \S+ /, ' * '),
    (l) => l.replace(/^\w+ \S+/, 'CONNECT a:1'),
    (l) => l.replace(/ (\S+) /, ' http://a$1 '),
    (l) => l.replace(/ (\S+) /, ' $1#x '),
    (l) => l.replace(/ (\S+) /, ' $1\xe9 '),
    (l) => l.replace(/ (\S+) /, ' $1?x=1 '),
    (l) => l.replace('1.1', '1.0'),
    (l) => l.replace('1.1', '1.2'),
    (l) => l.replace('1.1', '2.0'),
    (l) => l.replace('1.1', '1.10'),
    (l) => l.replace('1.1', '0.9'),
    (l) => l.replace('1.1', '1'),
    (l) => l.replace(/ HTTP.*$/, ''),
  ),
  // the end of lines
  (text) => text.replace('\r\n', '\n'),
  (text) => text.replace('\r\n', '\r'),
  (text) => text.replace('\r\n\r\n', '\n\n'),
  (text) => text.replace('\r\n\r\n', '\r\n\n'),
  (text) => text.replace('\r\n\r\n', '\n\r\n'),
  (text) => text.replace('\r\n\r\n', '\r\r\n\r\n'),
  // fields
  field(
    'X: a\r\n b',
    'X: a\r\n\tb',
    ' X: a',
    'X : a',
    'X\t: a',
    ': a',
    'X',
    'X: a\0b',
    'X: a\x7f',
    'X: a\rb',
    'X: a\nb',
    'X\xe9: a',
    '(X): a',
  ),
  field('X:', 'X:\ta\t', 'X: \xe9\xff', 'x-y_z!#$%&: "a, b"', 'X: a : b', `X: ${'y'.repeat(3000)}`),
  field(`X: ${'y'.repeat(40_000)}`),
  field('Host: a', 'Host: b', 'host:', 'Content-Type: text/plain', 'Authorization: x'),
  field(
    'Connection: close',
    'Connection: keep-alive',
    'Connection: x, Close',
    'Connection: upgrade',
    'Connection: Transfer-Encoding',
  ),
  field(
    'Connection: Upgrade\r\nUpgrade: websocket',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c',
    'Upgrade: h2c',
  ),
  field('Expect: 100-continue', 'Expect: 200-ok', 'Expect:'),
  // two ways to find the end of a body
  field(
    ...['0', '3', '+0', '-1', '0x0', '1 2', '0, 0', '', '00', '1e1', '99999999999999999999', '\xb2'].map(
      (n) => `Content-Length: ${n}`,
    ),
  ),
  field(
    'Content-Length : 3',
    'Content-Length\t: 3',
    'Content_Length: 3',
    'Content-Length: \t0\t ',
    'X: a\r\n Content-Length: 3',
  ),
  field(
    ...[
      'chunked',
      'Chunked',
      'gzip, chunked',
      'identity, chunked',
      'chunked, chunked',
      'identity',
      'chunked, identity',
      '',
      'xchunked',
      '"chunked"',
      'chunked;q=1',
      ',chunked',
      'chunked,',
      '\x0bchunked',
      `chunked${' '.repeat(70)}x`,
    ].map((coding) => `Transfer-Encoding: ${coding}`),
  ),
  field(
    'Transfer-Encoding : chunked',
    'Transfer-Encoding:\r\n chunked',
    'Transfer_Encoding: chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  ),
  // chunks
  (text, random) =>
    text.replace(
      /\r\n\r\n[0-9a-fA-F]+\r\n/,
      (m) =>
        m.slice(0, -2) +
        random.pick([';a', ';a=b', ';a="\r\n"', ' ', '\t;a', 'g', '\n', '\r', ',', '.']) +
        '\r\n',
    ),
  (text, random) =>
    text.replace(
      /\r\n\r\n(?=[0-9a-fA-F]+\r\n)/,
      (m) => m + random.pick(['0x', '+', '-', ' ', '\r\n', '0000000', '00000000', 'fffffffff']),
    ),
  (text, random) =>
    text.replace(
      /0\r\n\r\n$/,
      random.pick([
        '0\r\nX: 1\r\n\r\n',
        '0;a\r\n\r\n',
        '0\n\r\n',
        '0\r\n\n',
        '00000\r\n\r\n',
        '0\r\nHost: b\r\n\r\n',
        '\r\n0\r\n\r\n',
        '0 \r\n\r\n',
      ]),
    ),
  (text, random, tag) =>
    text.replace(/\r\n\r\n$/, `\r\n${random.pick(['Content-Length: 9', 'X: 1'])}\r\n\r\n`) + inside(tag),
  // a body that a request has not announced, and one that is shorter or longer than it says
  (text, _random, tag) => text + inside(tag).slice(0, 40),
  (text) => text.slice(0, -1),
  (text) => text.replace('Content-Length: 12', 'Content-Length: 13'),
  (text) => text.replace('Content-Length: 12', 'Content-Length: 11'),
  (text, random) =>
    damaged(Buffer.from(text, 'latin1'), random, [
      '\r\n',
      '\n',
      '\r',
      ':',
      ' ',
      '\0',
      '0\r\n\r\n',
      ';',
      '\t',
    ]).toString('latin1'),
];

export function makeCase(random: Random, number: number, auth: string): HttpCase {
  const count = random.below(4);
  const made: Made[] = Array.from({ length: count }, (_, i) => {
    const tag = `${number}.${i}`;
    const { text, status } = plain(random, tag, auth);
    if (random.one(3)) return { text, status };
    let twisted = random.pick(TWISTS)(text, random, tag);
    if (random.one(4)) twisted = random.pick(TWISTS)(twisted, random, tag);
    return twisted === text ? { text, status } : { text: twisted, status: null };
  });
  // The last one ends the connection, so that nobody has to wait whether something more comes.
  const last = plain(random, `${number}.${count}`, auth, 'Connection: close\r\n');
  return {
    requests: [...made, last].map(({ text }) => text),
    statuses: [...made, last].map(({ status }) => status),
    piece: random.pick([1 << 20, 1 << 20, 1 << 20, 1000, 200, 30]),
  };
}
