/**
 * A response body between undici, which pushes, and its reader, which pulls. A short body has usually arrived completely before it is
 * read, so it needs no stream. A long one pauses the socket when more than the high-water mark is buffered.
 */
import { SluiceError } from '../errors.ts';

const HIGH_WATER = 256 * 1024;

export interface Flow {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

export class UpstreamBody implements AsyncIterable<Uint8Array> {
  #chunks: Uint8Array[] = [];
  #waiting = 0;
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;
  #paused = false;
  readonly #flow: Flow;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  push(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return;
    this.#chunks.push(chunk);
    this.#waiting += chunk.byteLength;
    if (this.#waiting > HIGH_WATER && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.#signal();
  }

  end(): void {
    this.#ended = true;
    this.#signal();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#signal();
  }

  /** True if the body is empty; resolves as soon as the first byte or the end arrives. */
  empty(): boolean | Promise<boolean> {
    if (this.#chunks.length > 0 || this.#error) return false;
    if (this.#ended) return true;
    return new Promise((resolve) => {
      this.#wake = () => resolve(this.#chunks.length === 0 && this.#error === null);
    });
  }

  /** The entire body if it has already arrived and has at most `limit` bytes, else null. */
  whole(limit: number): Uint8Array | null {
    if (!this.#ended || this.#error || this.#waiting > limit) return null;
    const [first] = this.#chunks;
    if (this.#chunks.length === 0) return new Uint8Array(0);
    return this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks, this.#waiting);
  }

  /** Discards the body and closes the connection, because reusing it would require reading the rest. */
  discard(): void {
    if (!this.#ended && !this.#error) this.#flow.abort(new Error('response discarded'));
    this.#chunks = [];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#waiting -= chunk.byteLength;
          if (this.#paused && this.#waiting < HIGH_WATER / 2) {
            this.#paused = false;
            this.#flow.resume();
          }
          yield chunk;
        } else if (this.#error) throw aborted(this.#error);
        else if (this.#ended) return;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      this.discard();
    }
  }

  #signal(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

const aborted = (cause: Error): SluiceError =>
  cause instanceof SluiceError
    ? cause
    : new SluiceError('upstream_aborted', {
        message: 'The upstream broke off in the middle of its answer. Nothing more of it is passed on.',
        cause,
      });
