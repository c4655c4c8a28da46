/**
 * Approvals: a reviewer signs that one policy may go live.
 *
 * The approved value is the **content digest**. It covers the compiled module, the data with the catalogs, the manifest's entries of
 * the entrypoints, and the text of rules, data and catalogs, which `sluice explain` shows. It does not cover the revision (a label),
 * unit tests and scenarios (they can only prevent a policy from going live), and the approvals. A directory and the bundle that the
 * same OPA builds from it have the same digest.
 *
 * An approval is a compact JWS (RFC 7515) whose payload names the digest. It is valid if a key of `policy.require_approval.keys`
 * signed it, and neither the key nor the approval has expired. A key that signs bundles must not be among these keys; this is checked
 * whenever the keys are read.
 */
import { createHash, createPublicKey } from 'node:crypto';
import { CompactSign, compactVerify, decodeProtectedHeader } from 'jose';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { readStable } from '../../observability/stable.ts';
import { decidesNothing } from '../directory.ts';
import { isObject } from '../../documents/yaml.ts';
import { importKey, readKey, type SigningConfig, type SigningKey } from './signatures.ts';

const TYPE = 'sluice-approval+jws';
/** a file with more approvals is refused */
export const MAX_APPROVALS = 1000;
const MAX_BYTES = 4 * 1024 * 1024;

export interface Statement {
  /** `sha256:` and 64 hexadecimal digits */
  readonly digest: string;
  /** name that the policy gave itself, for people */
  readonly revision: string;
  readonly reviewer: string;
  /** who made the change; never the reviewer */
  readonly author?: string;
  /** RFC 3339 */
  readonly approved_at: string;
  /** last day on which the policy may be activated by it, UTC */
  readonly until?: string;
}

export interface Approval extends Statement {
  /** of `policy.require_approval.keys` */
  readonly key: string;
}

export interface ApprovalKey extends SigningKey {
  /** last day on which approvals by this key are valid, UTC */
  readonly until?: string | undefined;
}

export interface ApprovalConfig {
  readonly keys: { readonly [kid: string]: ApprovalKey };
  /** file with approvals, in addition to those in the bundle */
  readonly file?: string | undefined;
  /** `policy.signing.keys`: these keys sign bundles, and may not approve them */
  readonly signing: SigningConfig['keys'];
}

/** The parts of a policy that the digest covers. */
export interface Content {
  readonly wasm: Uint8Array;
  readonly dataJson: string;
  readonly manifest: {
    readonly roots: readonly string[];
    readonly wasm: readonly { readonly entrypoint: string }[];
    readonly metadata: { readonly [name: string]: unknown };
  };
  readonly sources: { readonly [path: string]: string };
}

/** the same for a directory and for the bundle built from it */
export function contentDigest({ wasm, dataJson, manifest, sources }: Content): string {
  const ours = manifest.metadata['sluice'];
  const { content_digest: _, ...claims } = isObject(ours) ? ours : {};
  const texts = Object.entries(sources)
    .filter(([path]) => !decidesNothing(path))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = [
    'sluice policy content 1',
    sha256(wasm),
    sha256(dataJson),
    JSON.stringify([manifest.roots, manifest.wasm.map((w) => w.entrypoint), sorted(claims)]),
    JSON.stringify(texts.map(([path, text]) => [path, sha256(text)])),
  ];
  return `sha256:${sha256(parts.join('\n'))}`;
}

/** The manifest's metadata with the content digest, so that it can be compared with the digest that was signed. */
export function withDigest(content: Content): Content['manifest']['metadata'] {
  const { metadata } = content.manifest;
  const ours = metadata['sluice'];
  if (!isObject(ours)) return metadata;
  return { ...metadata, sluice: { ...ours, content_digest: contentDigest(content) } };
}

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** sorts members, since manifests of other tools have them in another order */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((k) => [k, sorted(value[k])]),
  );
};

/** @throws SluiceError `config_invalid` when the key cannot sign, `input_invalid` when the reviewer is the author */
export async function signApproval(
  statement: Statement,
  key: SigningKey & { readonly kid: string },
): Promise<string> {
  if (isOwnWork(statement))
    throw new SluiceError(
      'input_invalid',
      'The author of a change does not approve it: name another reviewer.',
    );
  return new CompactSign(new TextEncoder().encode(JSON.stringify(statement)))
    .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: TYPE })
    .sign(await importKey(key, 'sign', key.kid));
}

const isOwnWork = ({ author, reviewer }: Statement): boolean =>
  author !== undefined && author.trim().toLowerCase() === reviewer.trim().toLowerCase();

/** `{ "approvals": ["<JWS>", …] }`; @throws SluiceError `policy_unapproved` */
export function readApprovals(text: string, name: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SluiceError('policy_unapproved', { message: `${name}: the approvals are not JSON.`, cause });
  }
  const list = isObject(value) ? value['approvals'] : undefined;
  if (!Array.isArray(list) || list.length > MAX_APPROVALS || !list.every((a) => typeof a === 'string'))
    throw new SluiceError(
      'policy_unapproved',
      `${name}: not { "approvals": [ … ] }, a list of signed approvals.`,
    );
  return list;
}

/** path of the approvals in a bundle */
export const APPROVALS = '.sluice/approvals.json';

/** @throws SluiceError `policy_unapproved` */
export function approvalsIn(files: ReadonlyMap<string, Uint8Array>, name: string): readonly string[] {
  const content = files.get(APPROVALS);
  return content === undefined
    ? []
    : readApprovals(Buffer.from(content).toString('utf8'), `${name}: ${APPROVALS}`);
}

/**
 * Finds a valid approval of a policy.
 * @throws SluiceError `policy_unapproved` if there is none, with the reason why each existing one is invalid; `config_*` if a key cannot
 * be read, or also signs bundles
 */
export async function approvalOf(
  bundle: Content & {
    readonly name: string;
    readonly revision: string;
    readonly approvals: readonly string[];
  },
  config: ApprovalConfig,
  now: Date,
): Promise<Approval> {
  const signer = await signingReviewer(config);
  if (signer !== null) throw new SluiceError('config_invalid', `${KEYS}.${signer.kid}: ${signer.why}.`);
  const digest = contentDigest(bundle);
  const found = [...bundle.approvals, ...fromFile(config.file)];
  const refused = new Set<string>();
  for (const token of found) {
    const read = await verified(token, config, digest, now);
    if (typeof read !== 'string') return read;
    refused.add(read);
  }
  const why = found.length === 0 ? 'there is no approval' : [...refused].sort().join('; ');
  throw new SluiceError(
    'policy_unapproved',
    `${bundle.name}: the policy ${bundle.revision} with the content ${digest} is not approved: ${why}. Have it reviewed and run "sluice approve".`,
  );
}

/**
 * The first approval key that also signs bundles, even if it is in another file, under another id, or in another format.
 * @throws SluiceError `config_invalid`, `config_unreadable` for a key that cannot be read
 */
export async function signingReviewer({
  keys,
  signing,
}: Pick<ApprovalConfig, 'keys' | 'signing'>): Promise<{ readonly kid: string; readonly why: string } | null> {
  const signers = new Map<string, string>();
  for (const [kid, key] of Object.entries(signing))
    if (!key.algorithm.startsWith('HS')) signers.set(await spkiOf(key, 'policy.signing.keys', kid), kid);
  if (signers.size === 0) return null;
  for (const [kid, key] of Object.entries(keys)) {
    const signer = signers.get(await spkiOf(key, KEYS, kid));
    if (signer !== undefined)
      return {
        kid,
        why: `also signs bundles (policy.signing.keys.${signer}): whoever builds a policy could approve it. Give the reviewer another key`,
      };
  }
  return null;
}

/** SubjectPublicKeyInfo (RFC 5280), which is the same for a key in any format */
async function spkiOf(key: SigningKey, section: string, kid: string): Promise<string> {
  const text = await readKey(key, kid, section);
  try {
    return createPublicKey(text).export({ type: 'spki', format: 'der' }).toString('base64');
  } catch (cause) {
    throw new SluiceError('config_invalid', {
      message: `${section}.${kid}: not a public key (BEGIN PUBLIC KEY) for ${key.algorithm}.`,
      cause,
    });
  }
}

function fromFile(file: string | undefined): readonly string[] {
  if (file === undefined) return [];
  let bytes: Buffer;
  try {
    ({ bytes } = readStable(file, MAX_BYTES));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    const why = cause instanceof RangeError ? `: ${cause.message}` : '';
    throw new SluiceError('policy_unapproved', {
      message: `${file}: the approvals cannot be read${why}.`,
      cause,
    });
  }
  return readApprovals(bytes.toString('utf8'), file);
}

/** @returns a text if the approval is not valid: the reason */
async function verified(
  token: string,
  { keys }: ApprovalConfig,
  digest: string,
  now: Date,
): Promise<Approval | string> {
  let kid: unknown;
  try {
    const header = decodeProtectedHeader(token);
    kid = header.kid;
    if (header.typ !== TYPE) return 'a signature in the list is no approval';
  } catch {
    return 'an approval is not a JWS';
  }
  if (typeof kid !== 'string' || !Object.hasOwn(keys, kid))
    return 'an approval is signed with a key that policy.require_approval.keys does not list';
  const key = keys[kid]!;
  let statement: unknown;
  try {
    const { payload } = await compactVerify(token, await importKey(key, 'verify', kid, KEYS), {
      algorithms: [key.algorithm],
    });
    statement = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (e) {
    if (isSluiceError(e)) throw e;
    return `an approval was changed, or key "${kid}" did not sign it`;
  }
  if (!isStatement(statement)) return `an approval of key "${kid}" does not say what it approves`;
  if (statement.digest !== digest) return `key "${kid}" approved another content (${statement.digest})`;
  const today = now.toISOString().slice(0, 10);
  if (key.until !== undefined && key.until < today)
    return `the time of key "${kid}" was over on ${key.until}`;
  if (statement.until !== undefined && statement.until < today)
    return `the approval of ${statement.reviewer} was good until ${statement.until}`;
  if (isOwnWork(statement)) return `${statement.reviewer} approved their own change`;
  return { ...statement, key: kid };
}

const KEYS = 'policy.require_approval.keys';
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const isStatement = (value: unknown): value is Statement =>
  isObject(value) &&
  ['digest', 'revision', 'reviewer', 'approved_at'].every((name) => typeof value[name] === 'string') &&
  (value['author'] === undefined || typeof value['author'] === 'string') &&
  (value['until'] === undefined || (typeof value['until'] === 'string' && DAY.test(value['until'])));
