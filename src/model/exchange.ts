/** One HTTP exchange as the pipeline sees it: what the listener hands in, and the only way an answer gets out. */
import type { IncomingHttpHeaders } from 'node:http';

/** How a route's clients read refusals. */
export const ERROR_FORMATS = ['problem', 'json', 'odata', 'soap', 'jsonrpc', 'xmlrpc'] as const;
export type ErrorFormat = (typeof ERROR_FORMATS)[number];

export interface ProxyRequest {
  readonly method: string;
  /** request target as it stood on the request line */
  readonly target: string;
  /** `1.0` or `1.1` */
  readonly version: string;
  readonly headers: IncomingHttpHeaders;
  /** name, value, name, value … as received: duplicates are visible only here */
  readonly rawHeaders: readonly string[];
  readonly peer: { readonly ip: string | null; readonly certificate?: PeerCertificate };
  readonly hasBody: boolean;
  /** @throws SluiceError `body_too_large`, `request_aborted`, `request_timeout` */
  read(limit: number): Promise<Uint8Array>;
  /** called at most once, when the caller goes away before the answer is complete */
  onAbort(listener: () => void): void;
}

/** What the TLS layer verified of a client certificate. */
export interface PeerCertificate {
  readonly subject: { readonly [attribute: string]: string | string[] | undefined };
  readonly subjectaltname?: string;
  readonly fingerprint256: string;
  readonly valid_to: string;
}

export interface Reply {
  readonly started: boolean;
  /** a complete answer at once, with its Content-Length */
  send(
    status: number,
    headers: Readonly<Record<string, string>>,
    chunks: readonly Uint8Array[],
  ): void | Promise<void>;
  /** the head of an answer whose length is not known */
  start(status: number, headers: Readonly<Record<string, string>>): void;
  /** resolves when more may be written */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  end(): void | Promise<void>;
  /** breaks the connection: the caller must not take what it has for the whole */
  abort(): void;
}
