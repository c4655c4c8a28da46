/** Endpoints on the admin listener (Express): requests, replies and JSON bodies in the terms of the pipeline. */
import type { TLSSocket } from 'node:tls';
import express, { type Request, type Response } from 'express';
import { SluiceError } from '../errors.ts';
import type { PeerCertificate, Reply } from '../model/exchange.ts';
import { ambiguityOf } from '../model/json-text.ts';
import type { Refusable } from '../pipeline/refusal.ts';

interface Peer {
  readonly ip: string | null;
  readonly certificate?: PeerCertificate;
}

export const clientIpOf = (req: Request): string | null =>
  req.socket.remoteAddress?.replace(/^::ffff:/, '') ?? null;

/** A certificate counts only if the TLS layer has verified it. */
export function peerOf(req: Request): Peer {
  const ip = clientIpOf(req);
  const socket = req.socket as TLSSocket;
  return socket.authorized
    ? { ip, certificate: socket.getPeerCertificate() as unknown as PeerCertificate }
    : { ip };
}

export const refusableOf = (req: Request): Refusable => ({
  method: req.method,
  target: req.url,
  headers: req.headers,
  get hasBody() {
    // Asked when the request is refused: some of the body may not have been read.
    return !req.complete;
  },
});

export const replyOf = (res: Response): Reply => ({
  get started() {
    return res.headersSent;
  },
  send(status, headers, chunks) {
    res.writeHead(status, headers);
    for (const chunk of chunks) res.write(chunk);
    res.end();
  },
  start(status, headers) {
    res.writeHead(status, headers);
  },
  async write(chunks) {
    for (const chunk of chunks) res.write(chunk);
  },
  end() {
    res.end();
  },
  abort() {
    res.destroy();
  },
});

/** Reads the body as it is. @param limit bytes @throws SluiceError `body_too_large`, `body_encoding_unsupported`, `request_aborted` */
export function bytesReader(limit: number): (req: Request, res: Response) => Promise<Uint8Array> {
  const raw = express.raw({ type: () => true, limit, inflate: false });
  return async (req, res) => {
    await new Promise<void>((resolve, reject) => {
      raw(req, res, (error?: unknown) => (error ? reject(readFailure(error, limit)) : resolve()));
    });
    // Absent where the request has no body.
    return (req.body as Uint8Array | undefined) ?? new Uint8Array();
  };
}

/** More than any body here has. */
const DEPTH = 32;

/** Refusals in another form than `problem+json`. @param rewritten null: this one stays as it is */
export const withProblems = (
  reply: Reply,
  rewritten: (
    status: number,
    problem: Readonly<Record<string, unknown>>,
  ) => { readonly status: number; readonly type: string; readonly body: object } | null,
): Reply => ({
  ...reply,
  get started() {
    return reply.started;
  },
  send(status, headers, chunks) {
    const other =
      headers['content-type'] === 'application/problem+json'
        ? rewritten(status, JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
        : null;
    if (other === null) return reply.send(status, headers, chunks);
    const body = Buffer.from(`${JSON.stringify(other.body)}\n`);
    return reply.send(
      other.status,
      { ...headers, 'content-type': other.type, 'content-length': String(body.byteLength) },
      [body],
    );
  },
});

/** Reads a body of JSON in UTF-8 that has one reading. @param limit bytes */
export function jsonReader(
  limit: number,
  types: RegExp = /^application\/json\s*(;|$)/i,
): (req: Request, res: Response) => Promise<unknown> {
  const read = bytesReader(limit);
  return async (req, res) => {
    const type = req.headers['content-type'] ?? '';
    if (!types.test(type)) throw unreadable('The body is wanted as application/json.');
    // A reader that heeds the charset would read other characters.
    if (/;\s*charset\s*=(?!\s*"?utf-?8"?\s*(;|$))/i.test(type))
      throw unreadable('The body is wanted in UTF-8.');
    const bytes = await read(req, res);
    let text: string;
    let value: unknown;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      value = JSON.parse(text);
    } catch {
      throw unreadable('The body is not JSON in UTF-8.');
    }
    const ambiguity = ambiguityOf(text, DEPTH);
    if (ambiguity === 'depth') throw unreadable(`The body is nested more than ${DEPTH} levels deep.`);
    if (ambiguity !== null) throw unreadable('The body has the same name twice in one object.');
    return value;
  };
}

function readFailure(error: unknown, limit: number): SluiceError {
  const { type } = error as { type?: string };
  if (type === 'entity.too.large')
    return new SluiceError('body_too_large', `The body is larger than ${limit} bytes.`);
  if (type === 'encoding.unsupported')
    return new SluiceError('body_encoding_unsupported', 'The body is compressed. Send it as it is.');
  return new SluiceError('request_aborted', {
    message: 'The body could not be read to its end.',
    cause: error,
  });
}

export const unreadable = (message: string): SluiceError => new SluiceError('body_unreadable', message);
