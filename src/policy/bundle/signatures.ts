/**
 * `.signatures.json` as OPA writes it: a JWS whose payload lists every file with its SHA-256. Structured files (data,
 * manifest) are hashed as canonical JSON (keys sorted, minimal escapes), so that the hash does not depend on formatting
 * (OPA `v1/bundle/hash.go`).
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CompactSign, compactVerify, decodeProtectedHeader, errors, importPKCS8, importSPKI } from 'jose';
import { SluiceError } from '../../errors.ts';
import type { Files } from './archive.ts';
import type { SigningAlgorithm } from '../settings.ts';
import { isObject, parseBundled } from '../../documents/yaml.ts';
import { exactJson } from '../../rego/index.ts';

export interface SigningKey {
  readonly algorithm: SigningAlgorithm;
  /** PEM, or the shared secret for HS* */
  readonly key?: string | undefined;
  /** a file that holds it */
  readonly file?: string | undefined;
}

export interface SigningConfig {
  /** by key id; several, so that keys can be rotated */
  readonly keys: { readonly [kid: string]: SigningKey };
  /** refuse a bundle that is not signed; default true if keys are given */
  readonly required?: boolean;
}

const SIGNATURES = '.signatures.json';
const HASHES: { readonly [name: string]: string } = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

/** @throws SluiceError `bundle_unsigned`, `bundle_key_unknown`, `bundle_signature_invalid` */
export const verifyFiles = async (
  files: Files,
  config: SigningConfig | undefined,
  name: string,
): Promise<void> => {
  if (config === undefined || Object.keys(config.keys).length === 0) {
    if (config?.required === true)
      throw new SluiceError(
        'bundle_key_unknown',
        `${name}: signatures are required, but policy.signing.keys is empty.`,
      );
    return;
  }
  const document = files.get(SIGNATURES);
  if (document === undefined) {
    if (config.required === false) return;
    throw new SluiceError(
      'bundle_unsigned',
      `${name}: the bundle is not signed, and policy.signing asks for a signature.`,
    );
  }
  const invalid = (why: string, cause?: unknown): SluiceError =>
    new SluiceError('bundle_signature_invalid', {
      message: `${name}: ${why}.`,
      ...(cause === undefined ? {} : { cause }),
    });
  const token = onlyToken(document);
  if (token === null) throw invalid(`${SIGNATURES} does not hold exactly one signature`);

  let kid: unknown;
  try {
    kid = decodeProtectedHeader(token).kid ?? payloadKeyId(token);
  } catch (cause) {
    throw invalid('the signature is not a JWS', cause);
  }
  const candidates = typeof kid === 'string' ? [kid] : Object.keys(config.keys);
  if (typeof kid === 'string' && !Object.hasOwn(config.keys, kid))
    throw new SluiceError(
      'bundle_key_unknown',
      `${name}: signed with key id ${JSON.stringify(kid.slice(0, 100))}, which policy.signing.keys does not list.`,
    );
  let payload: unknown;
  for (const id of candidates) {
    const key = config.keys[id]!;
    try {
      const verified = await compactVerify(token, await importKey(key, 'verify', id), {
        algorithms: [key.algorithm],
      });
      payload = JSON.parse(new TextDecoder().decode(verified.payload));
      break;
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      if (!(cause instanceof errors.JOSEError) || id === candidates.at(-1))
        throw invalid(`the signature does not verify with key "${id}" (${key.algorithm})`, cause);
    }
  }
  compareHashes(files, payload, invalid);
};

const onlyToken = (document: Uint8Array): string | null => {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(document));
    const list = isObject(parsed) ? parsed['signatures'] : undefined;
    return Array.isArray(list) && list.length === 1 && typeof list[0] === 'string' ? list[0] : null;
  } catch {
    return null;
  }
};

/** the key id in the payload, where older signatures have it */
const payloadKeyId = (token: string): unknown => {
  const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return isObject(payload) && payload['keyid'] !== '' ? payload['keyid'] : undefined;
};

const compareHashes = (files: Files, payload: unknown, invalid: (why: string) => SluiceError): void => {
  const listed = isObject(payload) ? payload['files'] : undefined;
  if (!Array.isArray(listed)) throw invalid('the signature lists no files');
  const left = new Set([...files.keys()].filter((p) => p !== SIGNATURES));
  for (const entry of listed as unknown[]) {
    if (!isObject(entry) || typeof entry['name'] !== 'string' || typeof entry['hash'] !== 'string')
      throw invalid('the signature has a malformed list of files');
    const path = entry['name'].replace(/^\//, '');
    const algorithm = HASHES[String(entry['algorithm'])];
    if (algorithm === undefined)
      throw invalid(`${path}: a hash of a kind that is not accepted (SHA-256, SHA-384, SHA-512 are)`);
    const content = files.get(path);
    if (content === undefined) throw invalid(`${path} is in the signature and not in the bundle`);
    if (fileHash(path, content, algorithm) !== entry['hash']) throw invalid(`${path} is not what was signed`);
    left.delete(path);
  }
  const [extra] = left;
  if (extra !== undefined) throw invalid(`${extra} is in the bundle and not in the signature`);
};

const STRUCTURED = /(?:^|\/)(?:\.manifest|data\.json|data\.ya?ml)$/;

const fileHash = (path: string, content: Uint8Array, algorithm: string): string => {
  const hash = createHash(algorithm);
  if (!STRUCTURED.test(path)) return hash.update(content).digest('hex');
  const text = new TextDecoder().decode(content);
  try {
    return hash
      .update(sorted(/ya?ml$/.test(path) ? parseBundled(text) : exactJson.parse(text)))
      .digest('hex');
  } catch {
    return '';
  }
};

/** Go's `json.Encoder` without HTML escaping escapes U+2028 and U+2029; keys are sorted by their UTF-8 bytes. */
const sorted = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`;
  if (isObject(value) && !exactJson.isRaw(value))
    return `{${Object.keys(value)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map((k) => `${goString(k)}:${sorted(value[k])}`)
      .join(',')}}`;
  return typeof value === 'string' ? goString(value) : exactJson.stringify(value);
};

const goString = (text: string): string =>
  JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');

/** the text of a key; @throws SluiceError `config_invalid`, `config_unreadable` */
export const readKey = async (
  { key, file }: SigningKey,
  kid: string,
  section = 'policy.signing.keys',
): Promise<string> => {
  const text = key ?? (file === undefined ? undefined : await keyFile(file));
  if (text === undefined)
    throw new SluiceError('config_invalid', `${section}.${kid}: give the key, or a file that holds it.`);
  return text;
};

/** @throws SluiceError `config_invalid`, `config_unreadable` */
export const importKey = async (
  spec: SigningKey,
  use: 'sign' | 'verify',
  kid: string,
  section = 'policy.signing.keys',
): Promise<Uint8Array | Awaited<ReturnType<typeof importSPKI>>> => {
  const text = await readKey(spec, kid, section);
  if (spec.algorithm.startsWith('HS')) return new TextEncoder().encode(text);
  try {
    return use === 'sign' ? await importPKCS8(text, spec.algorithm) : await importSPKI(text, spec.algorithm);
  } catch (cause) {
    const form =
      use === 'sign' ? 'a PKCS #8 private key (BEGIN PRIVATE KEY)' : 'a public key (BEGIN PUBLIC KEY)';
    throw new SluiceError('config_invalid', {
      message: `${section}.${kid}: not ${form} for ${spec.algorithm}.`,
      cause,
    });
  }
};

const keyFile = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('config_unreadable', {
      message: `The signing key ${file} cannot be read.`,
      cause,
      at: { file },
    });
  }
};

/** The document `.signatures.json` for these files. */
export const signFiles = async (
  files: Files,
  key: SigningKey & { readonly kid: string },
): Promise<{ readonly signatures: readonly string[] }> => {
  const listed = [...files].map(([path, content]) => ({
    name: path,
    hash: fileHash(path, content, 'sha256'),
    algorithm: 'SHA-256',
  }));
  const payload = new TextEncoder().encode(JSON.stringify({ files: listed, keyid: key.kid, scope: '' }));
  const token = await new CompactSign(payload)
    .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: 'JWT' })
    .sign(await importKey(key, 'sign', key.kid));
  return { signatures: [token] };
};
