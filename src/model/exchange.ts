/** One HTTP exchange as the pipeline sees it: the request from the listener, and the interface for the reply. */
import type { IncomingHttpHeaders } from 'node:http';

/** The format in which a route's clients read refusals. */
export const ERROR_FORMATS = ['problem', 'json', 'odata', 'soap', 'jsonrpc', 'xmlrpc'] as const;
/** `mcp`: JSON-RPC errors of the Model Context Protocol, which no route chooses */
export type ErrorFormat = (typeof ERROR_FORMATS)[number] | 'mcp';

export interface ProxyRequest {
  readonly method: string;
  /** request target of the request line, unchanged */
  readonly target: string;
  /** `1.0` or `1.1` */
  readonly version: string;
  readonly headers: IncomingHttpHeaders;
  /** name, value, name, value … as received; only this form shows repeated headers */
  readonly rawHeaders: readonly string[];
  readonly peer: { readonly ip: string | null; readonly certificate?: PeerCertificate };
  readonly hasBody: boolean;
  /** @throws SluiceError `body_too_large`, `request_aborted`, `request_timeout` */
  read(limit: number): Promise<Uint8Array>;
  /** called at most once, if the caller disconnects before the response is complete */
  onAbort(listener: () => void): void;
}

/** The client certificate that the TLS layer verified. */
export interface PeerCertificate {
  readonly subject: { readonly [attribute: string]: string | string[] | undefined };
  readonly subjectaltname?: string;
  readonly fingerprint256: string;
  readonly valid_to: string;
}

export interface Reply {
  readonly started: boolean;
  /** sends a complete response with its Content-Length */
  send(
    status: number,
    headers: Readonly<Record<string, string>>,
    chunks: readonly Uint8Array[],
  ): void | Promise<void>;
  /** sends the head of a response of unknown length */
  start(status: number, headers: Readonly<Record<string, string>>): void;
  /** resolves when more can be written */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  end(): void | Promise<void>;
  /** aborts the connection, so that the caller does not take a partial response for a complete one */
  abort(): void;
}
