/**
 * A prefix of a bucket in an S3-compatible store: requests signed with Signature Version 4, bucket in the path, because every store understands that.
 * Nothing is tried again: whoever runs the command does that.
 */
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

// Only characters that neither a URL nor XML encodes.
const ADDRESS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[A-Za-z0-9_-][\w.-]*)*)\/?$/;
const NOTHING = createHash('sha256').digest('hex');

export const isObjectStore = (place: string): boolean => place.startsWith('s3://');

/**
 * @param env `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL`, as in the tools of AWS
 * @throws SluiceError `input_invalid`
 */
export async function openObjectStore(
  address: string,
  endpoint: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ObjectStore> {
  const parts = ADDRESS.exec(address);
  if (parts === null)
    throw new SluiceError(
      'input_invalid',
      `${address} is not s3://BUCKET/PREFIX, with a prefix of ASCII letters, digits, - _ . and /.`,
    );
  const [, bucket, path] = parts as unknown as [string, string, string];
  const accessKeyId = env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY;
  if (!accessKeyId || !secretAccessKey)
    throw new SluiceError(
      'input_invalid',
      `${address} needs the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
    );
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
  const server =
    endpoint || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || `https://s3.${region}.amazonaws.com`;
  if (!/^https?:$/.test(URL.parse(server)?.protocol ?? ''))
    throw new SluiceError('input_invalid', `The endpoint ${server} is not an http or https URL.`);
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
      ...(env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}),
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
  const at = (name: string): string => `${root}/${prefix}${name}`;

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
        const query = new URLSearchParams({ 'list-type': '2', prefix });
        if (token !== '') query.set('continuation-token', token);
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
