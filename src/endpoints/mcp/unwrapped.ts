/** Takes what the pipeline releases, and sends it in the form of the protocol. Its record is durable by then. */
import type { Reply } from '../../model/exchange.ts';

export class Unwrapped implements Reply {
  readonly #reply: Reply;
  readonly #write: (disclosed: string | null, withheld: string | undefined) => Uint8Array;
  #chunks: Uint8Array[] = [];
  #head: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | null = null;

  /** @param write a whole answer, around what is disclosed */
  constructor(reply: Reply, write: (disclosed: string | null, withheld: string | undefined) => Uint8Array) {
    this.#reply = reply;
    this.#write = write;
  }

  get started(): boolean {
    return this.#head !== null;
  }

  send(
    status: number,
    headers: Readonly<Record<string, string>>,
    chunks: readonly Uint8Array[],
  ): void | Promise<void> {
    this.start(status, headers);
    this.#chunks.push(...chunks);
    return this.end();
  }

  start(status: number, headers: Readonly<Record<string, string>>): void {
    this.#head = { status, headers };
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    this.#chunks.push(...chunks);
  }

  end(): void | Promise<void> {
    const { status, headers } = this.#head!;
    const disclosed = Buffer.concat(this.#chunks);
    this.#chunks = [];
    const body = this.#write(
      disclosed.byteLength === 0 ? null : disclosed.toString('utf8'),
      headers['sluice-withheld'],
    );
    return this.#reply.send(status, { ...headers, 'content-type': 'application/json' }, [body]);
  }

  abort(): void {
    this.#reply.abort();
  }
}
