/** Headers and bodies of what Sluice itself says: beside a disclosed body, or instead of one. */
import { DisplayString, serializeList, Token } from 'structured-headers';
import { LRUCache } from 'lru-cache';
import type { SluiceError } from '../errors.ts';
import type { Reason } from '../model/answers.ts';
import type { DisclosureSummary, FieldAccount } from '../model/record.ts';
import type { ErrorShape } from '../pipeline/error-shape.ts';
import { emptyMessage, PROBLEM, rendered } from './error-formats.ts';
import { problem } from './problems.ts';

/** `Sluice-Withheld` is cut here: proxies on the way commonly refuse larger fields (design §5.5). */
const WITHHELD_BYTES = 4096;

/**
 * What is disclosed to one caller for one purpose is nobody else's: no cache may keep it, and none may take it for an
 * answer to another (design §7.7). No validators: an ETag of ours or the upstream's would tell of hidden fields.
 */
const PRIVATE = { 'cache-control': 'private, no-store', 'x-content-type-options': 'nosniff' } as const;

/** Request headers that an answer depends on, besides those that a configuration names. */
const VARY = [
  'Authorization',
  'Sluice-Purpose',
  'Sluice-Recipient',
  'Sluice-Tier',
  'Sluice-Justification',
  'Sluice-Grant',
] as const;

const REMEMBERED = new LRUCache<string, string>({ max: 1_000 });
/** of accounts that cannot change: those of answers that are alike are one object */
const OF_ACCOUNT = new WeakMap<readonly FieldAccount[], string>();

/** @param named headers that say who asks and why, where a configuration calls them otherwise */
export function createAnswers(named: readonly string[]) {
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
    ) {
      const body = problem(error, decisionId, reasons, status);
      const answer = rendered(body, shape);
      const headers: Record<string, string> = {
        ...answer.headers,
        ...PRIVATE,
        vary,
        'sluice-decision-id': decisionId,
      };
      if (body.status === 401) headers['www-authenticate'] = challenge(error.code);
      // Of an upstream's 503 only the upstream can say when it ends.
      if (body.status === 503 && status === undefined) headers['retry-after'] = '1';
      if (error.headers !== undefined) Object.assign(headers, error.headers);
      return { status: answer.status, meaning: body.status, headers, body: Buffer.from(answer.text) };
    },
  };
}

function headerOf(withheld: readonly FieldAccount[]): string {
  let header = OF_ACCOUNT.get(withheld);
  if (header === undefined) {
    header = withheldHeader(withheld);
    if (Object.isFrozen(withheld) && withheld.every(Object.isFrozen)) OF_ACCOUNT.set(withheld, header);
  }
  return header;
}

/**
 * RFC 9651 list of paths, each with what was done and why; ends with `…;more=N` where it was cut. A name that no catalog knows is the
 * upstream's own text and may be data (a map keyed by names of people): such fields are one `*` here; the decision record, which
 * the caller does not see, has them by name.
 */
export function withheldHeader(withheld: readonly FieldAccount[]): string {
  if (withheld.length === 0) return '';
  const key = withheld.map((w) => `${w.path}\n${w.do}\n${w.because}`).join('\n\n');
  const remembered = REMEMBERED.get(key);
  if (remembered !== undefined) return remembered;
  const told = withheld.filter((w) => w.because !== UNKNOWN);
  const unknown = withheld.find((w) => w.because === UNKNOWN);
  if (unknown) told.push({ ...unknown, path: '*' });
  const members: string[] = [];
  let size = 0;
  for (const [i, w] of told.entries()) {
    const text = member(w);
    const rest = `"...";more=${told.length - i}`;
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

function member(w: FieldAccount): string {
  // structured-headers 2.1 writes the first sixteen characters by one digit, which no reader takes (RFC 9651 §4.1.11)
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
const challenge = (code: string): string =>
  code === 'token_missing' ? 'Bearer' : `Bearer error="invalid_token", error_description="${code}"`;
