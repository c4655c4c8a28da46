/** Purpose, recipient, tier, justification and grant of a request, and who may claim which. */
import type { PurposeConfig } from './section/purpose.ts';
import { SluiceError } from '../errors.ts';
import type { Subject, Tier } from '../model/input.ts';
import type { CompiledRoute, Headers, Known, PurposeOfUse } from './types.ts';

export interface PurposeRequest {
  readonly headers: Headers;
  readonly subject: Subject;
  readonly claims: Readonly<Record<string, unknown>>;
  /** the client's default */
  readonly purpose: string | null;
  readonly route: Pick<CompiledRoute, 'purpose'>;
  readonly known: Known;
}

const INTERNAL = 'internal';
const remembered = new WeakMap<object, Known>();

/** Purposes and partners in a policy's data (`data.purposes`, `data.partners`): the keys of an object, or a list of names. */
export function knownFrom(data: { readonly [name: string]: unknown }): Known {
  let known = remembered.get(data);
  if (!known) {
    known = { purposes: names(data['purposes']), recipients: names(data['partners']) };
    remembered.set(data, known);
  }
  return known;
}

function names(document: unknown): ReadonlySet<string> {
  if (Array.isArray(document)) return new Set(document.filter((n): n is string => typeof n === 'string'));
  return new Set(typeof document === 'object' && document !== null ? Object.keys(document) : []);
}

/** @throws SluiceError `purpose_missing`, `purpose_unknown`, `recipient_unknown`, `tier_invalid`, `request_malformed` */
export function resolvePurpose(config: PurposeConfig, request: PurposeRequest): PurposeOfUse {
  const { headers } = request;
  const { purpose, bound } = purposeOf(config, request);
  const { recipient, own } = recipientOf(config, request);
  const tier = tierOf(single(headers, 'sluice-tier'));
  const justification = justificationOf(single(headers, 'sluice-justification'), config.justification);
  const claimed: string[] = [];
  if (justification !== null) claimed.push('justification');
  if (!bound) claimed.push('purpose');
  if (recipient !== own) claimed.push('recipient');
  if (tier !== null) claimed.push('tier');
  return {
    purpose,
    recipient,
    tier,
    justification,
    grant: grantOf(single(headers, 'sluice-grant')),
    claimed,
  };
}

/** `bound`: the purpose comes from the credential or the configuration, not from the caller's claim. */
function purposeOf(
  config: PurposeConfig,
  { headers, claims, purpose, route, known }: PurposeRequest,
): { readonly purpose: string; readonly bound: boolean } {
  const bound = config.claim === null ? null : boundPurposes(claims, config.claim);
  const asked = single(headers, config.header.toLowerCase());
  const wanted =
    asked ?? (bound?.length === 1 ? bound[0] : undefined) ?? route.purpose ?? purpose ?? config.default;
  if (wanted === null)
    throw new SluiceError(
      'purpose_missing',
      `The request says no purpose. Name one in the header ${config.header}.`,
    );
  if (!known.purposes.has(wanted))
    throw new SluiceError(
      'purpose_unknown',
      'The policy does not know the purpose that the request names (data.purposes).',
    );
  if (bound && !bound.includes(wanted))
    throw new SluiceError(
      'purpose_unknown',
      'The credential is bound to other purposes than the one the request names.',
    );
  return { purpose: wanted, bound: asked === undefined || bound !== null };
}

/** A credential that names purposes may be used for no other. */
function boundPurposes(claims: Readonly<Record<string, unknown>>, claim: string): readonly string[] | null {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (value === undefined || value === null) return null;
  const list: unknown = typeof value === 'string' ? value.split(/\s+/).filter(Boolean) : value;
  if (!Array.isArray(list) || !list.every((p): p is string => typeof p === 'string'))
    throw new SluiceError(
      'purpose_unknown',
      'The credential’s claim on purposes is neither text nor a list of texts.',
    );
  return list;
}

/** Internal callers may act for a partner; a partner acts only for itself, whatever it claims. */
function recipientOf(
  config: PurposeConfig,
  { headers, subject, known }: PurposeRequest,
): { readonly recipient: string; readonly own: string } {
  const { organization } = subject.properties;
  const own = Object.hasOwn(config.recipients, organization)
    ? config.recipients[organization]!
    : organization;
  const recipient = single(headers, 'sluice-recipient') ?? own;
  if (recipient !== INTERNAL && !known.recipients.has(recipient))
    throw new SluiceError(
      'recipient_unknown',
      'The policy has no agreement with the recipient of this request (data.partners).',
    );
  if (own !== INTERNAL && recipient !== own)
    throw new SluiceError('recipient_unknown', 'A caller from outside can only be the recipient itself.');
  return { recipient, own };
}

function tierOf(value: string | undefined): Tier | null {
  if (value === undefined) return null;
  if (value === '1' || value === '2' || value === '3') return Number(value) as Tier;
  throw new SluiceError('tier_invalid', 'Sluice-Tier is 1, 2 or 3.');
}

function justificationOf(value: string | undefined, limit: number): string | null {
  if (value === undefined || value === '') return null;
  const text = decoded(value);
  if (/\p{Cc}/u.test(text)) throw malformed('Sluice-Justification has a control character.');
  if ([...text].length > limit)
    throw malformed(`Sluice-Justification is longer than ${limit} characters (purpose.justification).`);
  return text;
}

/** Reads RFC 8187 `UTF-8''…`, percent-encoded UTF-8, raw UTF-8 (which Node shows as Latin-1), or ASCII. */
function decoded(value: string): string {
  const encoded = /^utf-8'[A-Za-z0-9-]*'(.*)$/i.exec(value)?.[1] ?? value;
  try {
    if (/%[0-9A-Fa-f]{2}/.test(encoded)) return decodeURIComponent(encoded);
  } catch {
    if (encoded !== value) throw malformed('Sluice-Justification is not UTF-8.');
  }
  if (!/[^\0-\x7f]/.test(value)) return value;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'));
  } catch {
    throw malformed('Sluice-Justification is not UTF-8.');
  }
}

function grantOf(value: string | undefined): string | null {
  if (value === undefined) return null;
  if (/^[A-Za-z0-9._:-]{1,128}$/.test(value)) return value;
  throw malformed('Sluice-Grant is not the id of a grant.');
}

function single(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined || typeof value === 'string') return value?.trim();
  throw malformed(`The header ${name} is repeated.`);
}

const malformed = (message: string): SluiceError => new SluiceError('request_malformed', message);
