/**
 * The proxy listener over raw sockets: a whole Sluice between a client that reads strictly and an origin that records bytes, against a
 * strict model of RFC 9112 (`http-model.ts`). What must hold: every answer is exactly framed, in order, and no byte stands outside of
 * one; what is no request is refused and ends the connection, and nothing behind it is answered or reaches the origin; what is one
 * is answered, and has reached the origin, once and with its body, exactly if the answer says so.
 */
import { connect, type Socket } from 'node:net';
import { type HostileUpstream, type Received, reply, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { type HttpCase, makeCase } from './http-cases.ts';
import { type Expected, read } from './http-model.ts';
import { Finding, type FuzzTarget, type Random } from './target.ts';

/** longer than any answer takes on a busy machine */
const PATIENCE_MS = 30_000;
/** for an answer that must not come */
const SILENCE_MS = 60;

interface World {
  readonly running: Running;
  readonly upstream: HostileUpstream;
  readonly auth: string;
}

let opened: Promise<World> | undefined;
/** what the origin has received, by the case that sent it */
const arrived = new Map<string, Received[]>();

async function open(): Promise<World> {
  const upstream = await startHostile();
  upstream.answer = (request, socket) => {
    const tag = request.headers['x-case'] ?? '';
    const number = tag.split('.')[0]!;
    arrived.set(number, [...(arrived.get(number) ?? []), request]);
    const id = request.target.split('/').at(-1);
    const body = request.method === 'HEAD' ? '' : JSON.stringify({ id });
    const answer = (): void => void socket.write(reply(body));
    // Some are slower than those behind them.
    if (tag.endsWith('.0')) setTimeout(answer, 2);
    else answer();
  };
  const running = await startSluice({
    upstream: upstream.url,
    crm: { request_headers: ['X-Case'] },
  });
  const auth = `Authorization: ${running.caller['Authorization']}\r\nSluice-Purpose: after_sales\r\n`;
  return { running, upstream, auth };
}

/** Sends the bytes in pieces; resolves to what came back until the other side closed, or null if it did not. */
function exchange(
  port: number,
  text: string,
  piece: number,
  patience: number,
): Promise<{ readonly text: string; readonly closed: boolean }> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let received = '';
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: received, closed });
    };
    const timer = setTimeout(() => finish(false), patience);
    let at = 0;
    const send = (): void => {
      if (socket.destroyed || !socket.writable) return;
      socket.write(text.slice(at, at + piece), 'latin1');
      at += piece;
      if (at < text.length) setTimeout(send, 0);
    };
    socket.on('connect', send);
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('end', () => finish(true)).on('close', () => finish(true));
  });
}

interface Answer {
  readonly status: number;
  readonly closes: boolean;
  readonly until: number;
}

/** One answer, by its own framing alone; throws what is wrong with it. */
function take(text: string, at: number, bodiless: boolean): Answer {
  const end = text.indexOf('\r\n\r\n', at);
  if (end === -1)
    throw new Error(at === text.length ? 'an answer is missing' : 'bytes stand outside of an answer');
  const [line = '', ...lines] = text.slice(at, end).split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(line);
  if (status === null) throw new Error('an answer does not begin where the one before it ended');
  const fields = lines.map((each) => {
    const field = /^([!#$%&'*+.^_`|~\w-]+): ([\x20-\x7e]*)$/.exec(each);
    if (field === null) throw new Error('an answer has a line that is no header field');
    return [field[1]!.toLowerCase(), field[2]!] as const;
  });
  const values = (name: string): string[] => fields.filter(([n]) => n === name).map(([, value]) => value);
  const code = Number(status[1]);
  const from = end + 4;
  const lengths = values('content-length');
  if (values('transfer-encoding').length > 0 || lengths.length > 1)
    throw new Error('an answer is framed in two ways');
  const none = bodiless || code < 200 || code === 204 || code === 304;
  if (!none && lengths.length === 0) throw new Error('an answer has no length');
  const until = none ? from : from + Number(lengths[0]);
  if (until > text.length) throw new Error('an answer is cut short');
  return { status: code, closes: values('connection').some((v) => v.toLowerCase() === 'close'), until };
}

/** @throws Error what does not hold */
async function check({ running }: World, number: number, test: HttpCase): Promise<void> {
  const text = test.requests.join('');
  const { requests, unfinished } = read(text);
  // `arrived` is by number, and a case may run again.
  arrived.delete(String(number));
  const received = await exchange(
    running.port,
    text,
    // at most a hundred pieces, so that a long head does not take seconds
    Math.max(test.piece, Math.ceil(text.length / 100)),
    unfinished ? SILENCE_MS * 5 : PATIENCE_MS,
  );
  let at = 0;
  let ended = false;
  const reached: Expected[] = [];
  for (const [i, expected] of requests.entries()) {
    const waits = unfinished && i === requests.length - 1;
    if (at === received.text.length && waits) break;
    let answer = take(received.text, at, expected.bodiless);
    if (answer.status === 100) {
      if (!expected.interim) throw new Error('a request that did not ask is told to continue');
      answer = take(received.text, answer.until, expected.bodiless);
    }
    if (answer.status < 200) throw new Error('an interim answer is not one that was asked for');
    at = answer.until;
    if (answer.status >= 200 && answer.status < 300) {
      if (expected.verdict === 'bad')
        throw new Error(`what is no request (${expected.why}) is answered ${answer.status}`);
      if (waits) throw new Error('a request that is not whole is answered as if it were');
      reached.push(expected);
    }
    if (expected.verdict === 'bad' && !answer.closes)
      throw new Error(`a refusal (${expected.why}) does not close`);
    const wanted = sentAsIs(test, requests, i);
    if (wanted !== null && wanted !== answer.status)
      throw new Error(`it is answered ${answer.status}, not ${wanted}`);
    ended = answer.closes;
    if (ended) break;
    if (expected.last) throw new Error('the last answer does not say that it is');
  }
  if (at !== received.text.length) throw new Error('bytes stand behind the last answer');
  if (!unfinished && !ended) throw new Error('the last answer does not close');
  if (ended && !received.closed) throw new Error('the connection stays open behind an answer that closes it');
  const there = arrived.get(String(number)) ?? [];
  arrived.delete(String(number));
  // HEAD is asked with GET, so that both have one status.
  const asked = (method: string): string => (method === 'HEAD' ? 'GET' : method);
  const wanted = reached.map(({ method, tag, body }) => `${asked(method)} ${tag} ${body}`);
  const found = there.map((r) => `${asked(r.method)} ${r.headers['x-case']} ${r.body.toString('latin1')}`);
  if (wanted.join('\n') !== found.join('\n'))
    throw new Error(`the origin was to see [${wanted.join('; ')}] and saw [${found.join('; ')}]`);
}

/** The status of a request that is as its sender meant it, in a run in which no request before it was twisted. */
function sentAsIs(
  { statuses, requests: sent }: HttpCase,
  requests: readonly Expected[],
  i: number,
): number | null {
  if (statuses.slice(0, i).some((status) => status === null) || requests.length !== sent.length) return null;
  return statuses[i] ?? null;
}

async function run(random: Random, number: number): Promise<void> {
  opened ??= open();
  const world = await opened;
  let test = makeCase(random, number, world.auth);
  const fault = (candidate: HttpCase): Promise<string | null> =>
    check(world, number, candidate).then(
      () => null,
      (e: Error) => e.message,
    );
  let what = await fault(test);
  if (what === null) return;
  // The same fault with fewer requests, and in one piece, is easier to read.
  for (let i = 0; i < test.requests.length - 1; ) {
    const without = (list: readonly never[]): readonly never[] => list.filter((_, n) => n !== i);
    const less = {
      requests: without(test.requests as never),
      statuses: without(test.statuses as never),
      piece: 1 << 20,
    } as HttpCase;
    const still = await fault(less);
    if (still === null) i++;
    else [test, what] = [less, still];
  }
  throw new Finding(
    `${what}: ${JSON.stringify(test.requests.join('').replaceAll(world.auth, ''))}`,
    Buffer.from(test.requests.join(''), 'latin1'),
  );
}

export const http: FuzzTarget = {
  name: 'http',
  parallel: 24,
  run,
  async close() {
    const world = await opened;
    opened = undefined;
    await world?.running.close();
    await world?.upstream.close();
  },
};
