/** A reply in a content coding (RFC 9110 §8.4): an encoder stands between what is released and the caller. */
import type { Reply } from '../model/exchange.ts';

export interface Encoding {
  /** its name in Content-Encoding */
  readonly coding: string;
  encode(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

type Headers = Readonly<Record<string, string>>;

export class CodedReply implements Reply {
  readonly #reply: Reply;
  readonly #encoding: Encoding;
  readonly #source = new Handover();
  /** settles when everything that the encoder made has been sent */
  #running: Promise<void> = Promise.resolve();

  constructor(reply: Reply, encoding: Encoding) {
    this.#reply = reply;
    this.#encoding = encoding;
  }

  get started(): boolean {
    return this.#reply.started;
  }

  async send(status: number, headers: Headers, chunks: readonly Uint8Array[]): Promise<void> {
    const encoded: Uint8Array[] = [];
    if (chunks.length === 0) return void (await this.#reply.send(status, headers, chunks));
    for await (const chunk of this.#encoding.encode(each(chunks))) encoded.push(chunk);
    await this.#reply.send(status, this.#coded(headers), encoded);
  }

  start(status: number, headers: Headers): void {
    this.#reply.start(status, this.#coded(headers));
    this.#running = this.#run();
    // The next `write` or `end` throws it.
    this.#running.catch((e: unknown) => this.#source.fail(e));
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) if (chunk.byteLength > 0) await this.#source.give(chunk);
  }

  async end(): Promise<void> {
    this.#source.finish();
    await this.#running;
    await this.#reply.end();
  }

  abort(): void {
    this.close();
    this.#reply.abort();
  }

  /** Ends the encoder, whatever its state. */
  close(): void {
    this.#source.fail(new Error('the answer is over'));
  }

  async #run(): Promise<void> {
    for await (const chunk of this.#encoding.encode(this.#source)) await this.#reply.write([chunk]);
  }

  #coded(headers: Headers): Headers {
    const { vary } = headers;
    return {
      ...headers,
      'content-encoding': this.#encoding.coding,
      vary: vary === undefined ? 'Accept-Encoding' : `${vary}, Accept-Encoding`,
    };
  }
}

async function* each(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  yield* chunks;
}

/** A channel without a buffer: `give` waits until the chunk before was taken. */
class Handover implements AsyncIterable<Uint8Array> {
  #offered: Uint8Array | null = null;
  #finished = false;
  #failure: unknown = null;
  #changed: (() => void)[] = [];

  async give(chunk: Uint8Array): Promise<void> {
    while (this.#offered !== null && this.#failure === null) await this.#change();
    if (this.#failure !== null) throw this.#failure;
    this.#offered = chunk;
    this.#signal();
  }

  finish(): void {
    this.#finished = true;
    this.#signal();
  }

  fail(reason: unknown): void {
    this.#failure ??= reason;
    this.#signal();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const chunk = this.#offered;
      if (chunk !== null) {
        this.#offered = null;
        this.#signal();
        yield chunk;
      } else if (this.#finished) return;
      else if (this.#failure !== null) throw this.#failure;
      else await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #signal(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }
}
