/** Headers of disclosed answers; headers and bodies of refusals. */
import { DisplayString, serializeList, Token } from 'structured-headers';
import { LRUCache } from 'lru-cache';
import type { SluiceError } from '../errors.ts';
import type { AccessRequestOffer } from '../model/access-request.ts';
import type { Reason } from '../model/answers.ts';
import type { DisclosureSummary, WithheldPath } from '../model/record.ts';
import type { ErrorShape } from '../pipeline/error-shape.ts';
import { emptyMessage, PROBLEM, rendered } from './error-formats.ts';
import { problem } from './problems.ts';

/** `Sluice-Withheld` is cut at this length: intermediaries commonly refuse larger fields. */
const WITHHELD_BYTES = 4096;

/**
 * What is disclosed to one caller for one purpose must not be stored by a cache or reused for another request. There are no validators: an
 * ETag, of Sluice or of the upstream, would tell of hidden fields.
 */
const PRIVATE = { 'cache-control': 'private, no-store', 'x-content-type-options': 'nosniff' } as const;

/** request headers that an answer depends on, besides those that the configuration names */
const VARY = [
  'Authorization',
  'Sluice-Purpose',
  'Sluice-Recipient',
  'Sluice-Tier',
  'Sluice-Justification',
  'Sluice-Grant',
] as const;

const REMEMBERED = new LRUCache<string, string>({ max: 1_000 });
/** by frozen list: equal answers share one */
const HEADERS = new WeakMap<readonly WithheldPath[], string>();

/** @param named headers for the credential and the purpose, as the configuration names them */
export function createResponses(named: readonly string[]) {
  const known = new Set(VARY.map((name) => name.toLowerCase()));
  const vary = [...VARY, ...named.filter((name) => !known.has(name.toLowerCase()))].join(', ');

  return {
    disclosed(decisionId: string, contentType: string, summary: DisclosureSummary): Record<string, string> {
      const headers: Record<string, string> = {
        'content-type': contentType,
        ...PRIVATE,
        vary,
        'sluice-decision-id': decisionId,
      };
      const withheld = headerOf(summary.withheld);
      if (withheld !== '') headers['sluice-withheld'] = withheld;
      return headers;
    },

    acknowledged(shape: ErrorShape) {
      const message = emptyMessage(shape);
      return message && { contentType: message.type, body: Buffer.from(message.text) };
    },

    refused(
      error: SluiceError,
      decisionId: string,
      reasons: readonly Reason[],
      status?: number,
      shape = PROBLEM,
      accessRequest: AccessRequestOffer | null = null,
    ) {
      const body = problem(error, decisionId, reasons, status, accessRequest);
      const answer = rendered(body, shape);
      const headers: Record<string, string> = {
        ...answer.headers,
        ...PRIVATE,
        vary,
        'sluice-decision-id': decisionId,
      };
      if (body.status === 401) headers['www-authenticate'] = challenge(error.code);
      // Sluice does not know when an upstream's own 503 ends.
      if (body.status === 503 && status === undefined) headers['retry-after'] = '1';
      if (error.headers !== undefined) Object.assign(headers, error.headers);
      return { status: answer.status, meaning: body.status, headers, body: Buffer.from(answer.text) };
    },
  };
}

function headerOf(withheld: readonly WithheldPath[]): string {
  let header = HEADERS.get(withheld);
  if (header === undefined) {
    header = withheldHeader(withheld);
    if (Object.isFrozen(withheld) && withheld.every(Object.isFrozen)) HEADERS.set(withheld, header);
  }
  return header;
}

/**
 * An RFC 9651 list of paths, each with the treatment and the reason; it ends with `…;more=N` where it was cut. A name that no catalog has is
 * the upstream's text and may be data (a map keyed by names of people). Such fields are one `*` here; the decision record has their names.
 */
export function withheldHeader(withheld: readonly WithheldPath[]): string {
  if (withheld.length === 0) return '';
  const key = withheld.map((w) => `${w.path}\n${w.do}\n${w.because}`).join('\n\n');
  const remembered = REMEMBERED.get(key);
  if (remembered !== undefined) return remembered;
  const listed = withheld.filter((w) => w.because !== UNKNOWN);
  const unknown = withheld.find((w) => w.because === UNKNOWN);
  if (unknown) listed.push({ ...unknown, path: '*' });
  const members: string[] = [];
  let size = 0;
  for (const [i, w] of listed.entries()) {
    const text = member(w);
    const rest = `"...";more=${listed.length - i}`;
    if (size + text.length + 2 + rest.length > WITHHELD_BYTES) {
      members.push(rest);
      break;
    }
    members.push(text);
    size += text.length + 2;
  }
  const header = members.join(', ');
  REMEMBERED.set(key, header);
  return header;
}

const UNKNOWN = 'uncatalogued';
const PRINTABLE = /^[\x20-\x7e]*$/;

function member(w: WithheldPath): string {
  // structured-headers 2.1 escapes U+0000 to U+000F with one digit, which parsers refuse (RFC 9651 §4.1.11)
  const bare = PRINTABLE.test(w.path) ? w.path : new DisplayString(w.path.replace(/[\0-\x0f]/g, '\ufffd'));
  const parameters = new Map<string, string | Token>([
    ['reason', token(w.because)],
    ['do', token(w.do)],
  ]);
  return serializeList([[bare, parameters]]);
}

const token = (text: string): string | Token =>
  /^[A-Za-z*][A-Za-z0-9_.:/*-]*$/.test(text) ? new Token(text) : text.replace(/[^\x20-\x7e]/g, '?');

/** RFC 6750 §3: no error code for a request without a credential. */
export const challenge = (code: string): string =>
  code === 'token_missing' ? 'Bearer' : `Bearer error="invalid_token", error_description="${code}"`;
