/**
 * A strict S3-compatible server in memory: GET, PUT with `If-None-Match: *`, ListObjectsV2 in pages of two. It verifies Signature Version 4 as
 * documented by AWS ("Create a signed AWS API request"), with nothing of the client, and the SHA-256 of what was sent.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export const ACCESS = {
  id: 'AKIDEXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  region: 'eu-west-3',
};
const PAGE = 2;

/** As it came, for whoever verifies the signature otherwise. */
export interface StoreRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

type Answer = { readonly status: number; readonly body?: string | Buffer };
/** Answers instead of the server, or null. */
type Interference = (request: { readonly method: string; readonly key: string }) => Answer | null;

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const error = (status: number, code: string): Answer => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`,
});

function isSigned(request: IncomingMessage, url: URL): boolean {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    );
  if (parts === null) return false;
  const [, id, day, region, names, signature] = parts as unknown as string[] as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const time = String(request.headers['x-amz-date']);
  const signed = names.split(';');
  const mustBe = [
    'host',
    ...Object.keys(request.headers).filter((n) => n.startsWith('x-amz-') || n === 'if-none-match'),
  ];
  if (id !== ACCESS.id || region !== ACCESS.region || !time.startsWith(day)) return false;
  if (mustBe.some((name) => !signed.includes(name)) || signed.join() !== [...signed].sort().join())
    return false;
  const at = Date.parse(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  if (!(Math.abs(Date.now() - at) < 15 * 60_000)) return false;
  const canonical = [
    request.method,
    url.pathname
      .split('/')
      .map((part) => encoded(decodeURIComponent(part)))
      .join('/'),
    [...url.searchParams]
      .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      .sort()
      .join('&'),
    ...signed.map((name) => `${name}:${String(request.headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    names,
    request.headers['x-amz-content-sha256'],
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${ACCESS.secret}`);
  const wanted = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n'));
  return timingSafeEqual(wanted, Buffer.from(signature, 'hex'));
}

/** The one bucket is `logs`. */
export async function objectStore() {
  const objects = new Map<string, Buffer>();
  const asked: string[] = [];
  const requests: StoreRequest[] = [];
  let interfere: Interference = () => null;

  async function answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '', `http://${request.headers.host}`);
    const body = await buffer(request);
    const [, bucket, ...rest] = decodeURIComponent(url.pathname).split('/');
    const key = rest.join('/');
    const method = request.method ?? '';
    asked.push(`${method} ${key}`);
    requests.push({ method, url: `http://${request.headers.host}${request.url}`, headers: request.headers });
    if (!isSigned(request, url)) return error(403, 'SignatureDoesNotMatch');
    if (sha256(body) !== request.headers['x-amz-content-sha256'])
      return error(400, 'XAmzContentSHA256Mismatch');
    if (bucket !== 'logs') return error(404, 'NoSuchBucket');
    const other = interfere({ method, key });
    if (other !== null) return other;
    if (method === 'PUT') {
      if (request.headers['content-length'] === undefined) return error(411, 'MissingContentLength');
      if (request.headers['if-none-match'] === '*' && objects.has(key))
        return error(412, 'PreconditionFailed');
      objects.set(key, body);
      return { status: 200 };
    }
    if (key !== '') {
      const found = objects.get(key);
      return found === undefined ? error(404, 'NoSuchKey') : { status: 200, body: found };
    }
    const prefix = url.searchParams.get('prefix') ?? '';
    const after = url.searchParams.get('continuation-token') ?? '';
    const keys = [...objects.keys()].filter((k) => k.startsWith(prefix) && k > after).sort();
    const page = keys.slice(0, PAGE);
    const next =
      keys.length > PAGE ? `<NextContinuationToken>${escaped(page.at(-1)!)}</NextContinuationToken>` : '';
    return {
      status: 200,
      body: `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>${escaped(prefix)}</Prefix>${page.map((k) => `<Contents><Key>${escaped(k)}</Key></Contents>`).join('')}${next}</ListBucketResult>`,
    };
  }

  const server = createServer((request, response) => {
    void answer(request).then(({ status, body }) => response.writeHead(status).end(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    asked,
    requests,
    interfere(by: Interference) {
      interfere = by;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
