/**
 * A prefix of a bucket in an S3-compatible store: requests signed with Signature Version 4, bucket in the path, because every store understands that.
 * Nothing is tried again: whoever runs the command does that.
 */
import { isLoopback } from '../../model/loopback.ts';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { AwsV4Signer } from 'aws4fetch';
import { SaxesParser } from 'saxes';
import { request } from 'undici';
import { SluiceError } from '../../errors.ts';
import { digestOf } from './digest.ts';

export interface ObjectStore {
  /** `s3://bucket/prefix` */
  readonly url: string;
  /** SHA-256 of the bytes that the store sends back; null: there is no such object */
  digest(name: string): Promise<string | null>;
  /** @returns false if an object of that name is there, and `overwrite` is not set */
  put(name: string, body: string | { readonly path: string }, overwrite?: boolean): Promise<boolean>;
  get(name: string, to: string): Promise<void>;
  /** what follows the prefix, sorted; not what is deeper */
  list(): Promise<readonly string[]>;
}

/** The store sent no usable answer, or refused. */
export class StoreFailed extends Error {}

const ADDRESS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[^/]+)*)\/?$/;
/** Names that a URL parser or a terminal would change. */
const UNSAFE_NAME = /(?:^|\/)\.\.?(?:\/|$)|\p{Cc}/u;
const NOTHING = createHash('sha256').digest('hex');
const DAY = 86_400_000;

/** As RFC 3986 has it, which a signature demands. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export const isObjectStore = (place: string): boolean => place.startsWith('s3://');

/** `decision_log.archive.s3` */
export interface ObjectStoreSettings {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly access_key_id?: string | undefined;
  readonly secret_access_key?: string | undefined;
  readonly insecure_http?: boolean | undefined;
  readonly lock?: { readonly mode: 'governance' | 'compliance'; readonly days: number } | undefined;
}

/**
 * What the settings leave out is taken from the environment.
 * @param env `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL`, as in the tools of AWS
 * @throws SluiceError `input_invalid`
 */
export async function openObjectStore(
  address: string,
  s3: ObjectStoreSettings,
  env: Readonly<Record<string, string | undefined>>,
  now: () => number = Date.now,
): Promise<ObjectStore> {
  const parts = ADDRESS.exec(address);
  if (parts === null || !address.isWellFormed() || UNSAFE_NAME.test(parts[2] as string))
    throw new SluiceError(
      'input_invalid',
      `${JSON.stringify(address).slice(1, -1)} is not s3://BUCKET/PREFIX, with a prefix that has no empty name, no name . or .., and no control character.`,
    );
  const [, bucket, path] = parts as unknown as [string, string, string];
  const accessKeyId = s3.access_key_id ?? env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = s3.secret_access_key ?? env.AWS_SECRET_ACCESS_KEY;
  // A token belongs to the keys beside it.
  const isOwn = s3.access_key_id !== undefined || s3.secret_access_key !== undefined;
  const sessionToken = isOwn ? undefined : env.AWS_SESSION_TOKEN;
  if (!accessKeyId || !secretAccessKey)
    throw new SluiceError(
      'input_invalid',
      `${address} needs decision_log.archive.s3.access_key_id and secret_access_key, or the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
    );
  const region = s3.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
  const server =
    s3.endpoint || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || `https://s3.${region}.amazonaws.com`;
  const url = URL.parse(server);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new SluiceError('input_invalid', `The endpoint ${server} is not an http or https URL.`);
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && s3.insecure_http !== true)
    throw new SluiceError(
      'input_invalid',
      `The endpoint ${server} is not encrypted. Use https, or set decision_log.archive.s3.insecure_http: true.`,
    );
  const root = `${server.replace(/\/+$/, '')}/${bucket}`;
  const prefix = path === '' ? '' : `${path.slice(1)}/`;
  const { AwsV4Signer: Signer } = await import('aws4fetch');

  async function send(
    method: 'GET' | 'PUT',
    url: string,
    headers: Record<string, string> = {},
    body?: { readonly size: number; open(): string | ReturnType<typeof createReadStream> },
  ) {
    const signer: AwsV4Signer = new Signer({
      method,
      url,
      headers: { 'x-amz-content-sha256': NOTHING, ...headers },
      accessKeyId: accessKeyId as string,
      secretAccessKey: secretAccessKey as string,
      ...(sessionToken ? { sessionToken } : {}),
      service: 's3',
      region,
    });
    const signed = Object.fromEntries((await signer.sign()).headers);
    return asked(url, () =>
      request(url, {
        method,
        headers: body === undefined ? signed : { ...signed, 'content-length': String(body.size) },
        body: body?.open() ?? null,
      }),
    );
  }
  const at = (name: string): string => `${root}/${(prefix + name).split('/').map(encoded).join('/')}`;

  async function open(name: string) {
    const { statusCode, body } = await send('GET', at(name));
    if (statusCode === 200) return body;
    const said = await asked(at(name), () => body.text());
    if (statusCode === 404 && !said.includes('NoSuchBucket')) return null;
    throw refused('GET', at(name), statusCode, said);
  }

  return {
    url: `s3://${bucket}${path}`,

    async digest(name) {
      const body = await open(name);
      if (body === null) return null;
      const digest = createHash('sha256');
      await asked(at(name), () => pipeline(body, digest));
      return digest.digest('hex');
    },

    async put(name, content, overwrite = false) {
      const text = typeof content === 'string' ? content : null;
      const { path: file } = typeof content === 'string' ? { path: '' } : content;
      const digest = text === null ? await digestOf(file) : createHash('sha256').update(text).digest('hex');
      const headers: Record<string, string> = { 'x-amz-content-sha256': digest };
      if (!overwrite) headers['if-none-match'] = '*';
      if (s3.lock !== undefined) {
        headers['x-amz-object-lock-mode'] = s3.lock.mode.toUpperCase();
        headers['x-amz-object-lock-retain-until-date'] = new Date(now() + s3.lock.days * DAY).toISOString();
        // A store refuses a lock without a checksum of its own.
        headers['x-amz-sdk-checksum-algorithm'] = 'SHA256';
        headers['x-amz-checksum-sha256'] = Buffer.from(digest, 'hex').toString('base64');
      }
      const size = text === null ? (await stat(file)).size : Buffer.byteLength(text);
      const { statusCode, body } = await send('PUT', at(name), headers, {
        size,
        open: () => text ?? createReadStream(file),
      });
      const said = await asked(at(name), () => body.text());
      if (statusCode === 200) return true;
      if (statusCode === 412 && !overwrite) return false;
      throw refused('PUT', at(name), statusCode, said);
    },

    async get(name, to) {
      const body = await open(name);
      if (body === null) throw new StoreFailed(`there is no object ${at(name)}`);
      await asked(at(name), () => pipeline(body, createWriteStream(to, { mode: 0o640 })));
    },

    async list() {
      const names: string[] = [];
      let token = '';
      do {
        // Not with URLSearchParams, which writes a space as +.
        const next = token === '' ? '' : `&continuation-token=${encoded(token)}`;
        const query = `list-type=2&prefix=${encoded(prefix)}${next}`;
        const url = `${root}?${query}`;
        const { statusCode, body } = await send('GET', url);
        const said = await asked(url, () => body.text());
        if (statusCode !== 200) throw refused('GET', url, statusCode, said);
        const page = await asked(url, async () => readPage(said));
        names.push(...page.keys.map((key) => key.slice(prefix.length)));
        token = page.next;
      } while (token !== '');
      return names.filter((name) => name !== '' && !name.includes('/')).sort();
    },
  };
}

async function asked<T>(url: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new StoreFailed(`${url}: ${code ?? message}`, { cause });
  }
}

const refused = (method: string, url: string, status: number, body: string): StoreFailed => {
  const code = /<Code>(\w+)<\/Code>/.exec(body)?.[1];
  return new StoreFailed(
    `${method} ${url} was answered with ${status}${code === undefined ? '' : ` ${code}`}`,
  );
};

/** An answer to ListObjectsV2. */
function readPage(xml: string): { readonly keys: readonly string[]; readonly next: string } {
  const keys: string[] = [];
  let next = '';
  let text = '';
  const parser = new SaxesParser();
  parser.on('error', (e) => {
    throw e;
  });
  parser.on('opentag', () => {
    text = '';
  });
  parser.on('text', (more) => {
    text += more;
  });
  parser.on('closetag', ({ name }) => {
    if (name === 'Key') keys.push(text);
    else if (name === 'NextContinuationToken') next = text;
  });
  parser.write(xml).close();
  return { keys, next };
}
