/**
 * One connection of a caller. Its bytes pass the strict framing (`framing.ts`) before Node's parser, one request at a time: the next request
 * is read when the answer to the previous one has been sent. So no answer can be written into another, no request behind one that ends the
 * connection is served, and a caller that pipelines costs no more than others (RFC 9112 §9.3.2 lets a server answer in turn).
 *
 * This takes Node's parser off its fast path, which reads from the socket without JavaScript: about 5 µs a request. The alternative, a copy
 * of the parser's current buffer, costs as much.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SluiceError } from '../../errors.ts';
import type { PeerCertificate } from '../../model/exchange.ts';
import { NodeRequest } from './exchange.ts';
import { RequestFraming } from './framing.ts';

/** bytes that are buffered behind a request in flight; the socket is not read beyond them */
const HELD_BYTES = 64 * 1024;
/**
 * A caller that has ended its side may be gone or may still read: TCP does not tell which. Its request goes on for this long; when the answer
 * has begun, a failing write tells. Any longer, and requests without a reader would occupy the upstream's connections.
 */
const HALF_CLOSED_MS = 2_000;
/** Bytes that come while a connection is ended are discarded: to close on them would reset the connection before the answer is read (RFC 9112 §9.6). */
const LINGER_MS = 1_000;
const LINGER_BYTES = 4 * 1024 * 1024;

type Read = (bytes: Uint8Array) => void;

export class Connection {
  readonly ip: string | null;
  /** called once, for bytes that are not a request; the connection is shut by then */
  readonly #refuse: (connection: Connection, why: string) => void;
  readonly #socket: Socket;
  readonly #parse: Read;
  /** Node's listener for the end of input: the answer in flight is then the last one */
  readonly #finish: () => void;
  readonly #framing = new RequestFraming();
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** the newest request, and whether its answer has not left yet */
  #newest: NodeRequest | null = null;
  #answering = false;
  /** requests that the parser has emitted, and that the framing has passed to it */
  #found = 0;
  #passed = 0;
  /** no further bytes are read as a request */
  #shut = false;
  /** the other side sends nothing more */
  #ended = false;
  #waiting: NodeJS.Timeout | undefined;
  #lingered = 0;
  #last: (() => void) | null = null;
  #certificate: PeerCertificate | undefined;

  constructor(socket: Socket, refuse: (connection: Connection, why: string) => void) {
    this.#socket = socket;
    this.#refuse = refuse;
    this.ip = socket.remoteAddress?.replace(/^::ffff:/, '') ?? null;
    // Node reads from the socket by one `data` listener. When it is replaced, Node leaves its fast path and parses what it is given.
    const listeners = socket.listeners('data') as Read[];
    const [parse] = listeners;
    const finish = socket.listeners('end').at(-1);
    if (parse === undefined || listeners.length !== 1 || finish === undefined)
      throw new SluiceError(
        'internal',
        'Node’s HTTP server no longer reads its sockets by one data listener.',
      );
    this.#parse = parse;
    socket.off('data', parse);
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#finish = finish as () => void;
    socket.off('end', this.#finish);
    socket.on('end', () => this.#end());
    socket.once('close', () => clearTimeout(this.#waiting));
  }

  get certificate(): PeerCertificate | undefined {
    const socket = this.#socket as TLSSocket;
    if (socket.authorized) this.#certificate ??= socket.getPeerCertificate() as unknown as PeerCertificate;
    return this.#certificate;
  }

  /** the request that is being read is a HEAD request, whether or not it is well formed */
  get isHead(): boolean {
    return this.#framing.isHead;
  }

  get isShut(): boolean {
    return this.#shut;
  }

  /** the request whose bytes have not all arrived yet */
  get unfinished(): NodeRequest | null {
    return this.#newest?.incomplete ? this.#newest : null;
  }

  /** A request that the parser has emitted; null: it must not be served. */
  request(message: IncomingMessage, response: ServerResponse): NodeRequest | null {
    if (this.#shut || this.#answering) return null;
    this.#found++;
    this.#answering = true;
    const request = new NodeRequest(message, response, this);
    this.#newest = request;
    response.once('close', () => this.#answered());
    return request;
  }

  /** Reads no further request. */
  shut(): void {
    this.#shut = true;
    this.#held = [];
    this.#heldBytes = 0;
    // A paused socket would not report that the other side has ended.
    this.#socket.resume();
  }

  /** Ends the connection after the answer in flight, with these bytes or without any. */
  end(bytes: string | null): void {
    this.shut();
    const socket = this.#socket;
    this.#last = () => {
      if (!socket.writable) return void socket.destroy();
      if (bytes === null) socket.end();
      else socket.end(bytes);
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      socket.once('close', () => clearTimeout(timer));
      socket.resume();
    };
    if (!this.#answering) this.#last();
  }

  #take(bytes: Uint8Array): void {
    if (this.#shut) {
      this.#lingered += bytes.length;
      if (this.#lingered > LINGER_BYTES) this.#socket.destroy();
    } else if (this.#held.length > 0 || (this.#answering && this.#framing.done)) this.#hold(bytes);
    else this.#read(bytes);
  }

  /** Requests that came before the end are still answered, in turn. */
  #end(): void {
    this.#ended = true;
    if (this.#shut) return;
    if (this.#held.length === 0) this.#finish();
    if (!this.#answering) return;
    this.#waiting = setTimeout(() => {
      // The rest of an unfinished request never comes. Its answer may not end either: over TLS, Node loses the callback of a write that
      // fails synchronously, so a connection that was reset is not closed.
      if (this.#newest?.answered === false || this.unfinished !== null) this.#socket.destroy();
    }, HALF_CLOSED_MS);
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > HELD_BYTES) this.#socket.pause();
  }

  #read(bytes: Uint8Array): void {
    const framing = this.#framing;
    let at = 0;
    while (at < bytes.length) {
      if (framing.done) {
        // The request before is being answered: the rest waits.
        if (this.#answering) return void this.#hold(bytes.subarray(at));
        framing.reset();
      }
      const wasInBody = framing.inBody;
      let end = framing.push(bytes, at);
      const { begin } = framing;
      if (framing.fault !== null && !wasInBody) return void this.#fault(framing.fault);
      // The parser gets a request's head even if its body is malformed at once: then that request is refused.
      const head = end;
      while (end < bytes.length && !framing.done && framing.fault === null) end = framing.push(bytes, end);
      const good = framing.fault === null ? end : wasInBody ? begin : head;
      if (good > begin)
        this.#parse(begin === 0 && good === bytes.length ? bytes : bytes.subarray(begin, good));
      if (this.#shut) return;
      if (framing.fault !== null) return void this.#fault(framing.fault);
      if (framing.done && ++this.#passed !== this.#found) return void this.#fault(DISAGREED);
      if (framing.done && this.unfinished !== null) return void this.#fault(DISAGREED);
      at = end;
    }
  }

  #fault(why: string): void {
    this.shut();
    const request = this.unfinished;
    // A request with a malformed body is refused by the pipeline, which records it.
    if (request === null) this.#refuse(this, why);
    else request.fail(new SluiceError('request_malformed', `The request ${why} (RFC 9112).`));
  }

  #answered(): void {
    this.#answering = false;
    if (!this.#socket.destroyed) this.#waiting?.refresh();
    if (this.#last !== null) this.#last();
    else if (!this.#socket.writable) this.shut();
    else if (this.#held.length > 0) this.#continue();
  }

  #continue(): void {
    while (this.#held.length > 0 && !this.#shut && !(this.#answering && this.#framing.done)) {
      const bytes = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
      this.#read(bytes);
    }
    if (this.#ended && this.#held.length === 0 && !this.#shut) this.#finish();
    if (this.#heldBytes <= HELD_BYTES) this.#socket.resume();
  }
}

const DISAGREED = 'is one about whose end two parsers differ';
