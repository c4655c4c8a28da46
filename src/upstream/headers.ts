/**
 * Which headers cross, in either direction. Both ways an allow-list: a header nobody thought of stays behind, so neither
 * an identity-switching request header (`X-User`, `X-Forwarded-User`, `X-HTTP-Method-Override`) nor a leaking response
 * header (`Set-Cookie`, `Server`, `Link`, `Location`, `Content-Disposition`, `Refresh`, `X-Total-Count`) gets past.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { SluiceError } from '../errors.ts';
import { type Announced, announced } from './announced.ts';

/**
 * Request headers that say nothing about who asks. Conditional and range headers are left out: an answer to them (304, 206, 412) tells
 * of bytes that are not disclosed.
 */
const REQUEST_HEADERS = ['accept', 'accept-language', 'content-type', 'soapaction'] as const;

/**
 * On what a write depends (RFC 9110 §13.1), and of how much of the record it is (§14.5): one that loses them overwrites what it was not to. `*` asks only
 * whether there is a record.
 */
const WRITE_CONDITIONS = ['if-match', 'if-none-match', 'if-unmodified-since', 'content-range'] as const;
/** Those that a configuration may let through with an entity tag. */
export const TAG_CONDITIONS: ReadonlySet<string> = new Set(['if-match', 'if-none-match']);

/**
 * None by itself: any field's value is text of the upstream's choosing, and Content-Language says what somebody speaks. What a
 * configuration adds is for it to answer for. `content-type` is set anew by the reply.
 */
const RESPONSE_HEADERS: readonly string[] = [];

/** Hop-by-hop (RFC 9110 §7.6.1), framing, credentials, validators, and what overrides method, path or caller. */
const NEVER =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-(?:length|encoding|range)|host|authorization|cookie|set-cookie|expect|range|if-.*|accept-(?:encoding|ranges)|etag|last-modified|x-http-method.*|x-method-override|x-original-url|x-rewrite-url|sluice-.*)$/i;

/** What no configuration can let through, in either direction; of `TAG_CONDITIONS` requests are an exception. */
export const isNeverForwarded = (header: string): boolean => NEVER.test(header);

/** RFC 9110 §5.5 field-vchar, without obs-text: what is no text to one reader may be to another. */
const VISIBLE = /^[\t\x20-\x7e]*$/;

/** What is known of a list's records by the time that its headers leave. */
export interface Counted {
  readonly records: number;
  readonly records_withheld: number;
  /** no more of them can follow */
  readonly last: boolean;
  /** the request narrowed the list by fields, or the list must hold groups: what the headers tell must not depend on withheld records */
  readonly guarded: boolean;
  /** a guarded list may be a page of what was found: no header tells how many there are */
  readonly paged: boolean;
}

export interface HeaderRules {
  /** @throws SluiceError `write_condition_refused` */
  request(headers: IncomingHttpHeaders, writes: boolean): Record<string, string>;
  /** @param list null for an answer that is one record */
  response(
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
    list: Counted | null,
  ): Record<string, string>;
  /** what the headers of an answer say of the list's length, whether or not they are passed */
  announced(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Announced;
  /** what passes of an error's headers though its body does not: configured, known to say nothing but when to come again, well formed */
  refused(
    status: number,
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): Record<string, string>;
}

const BUSY: ReadonlySet<number> = new Set([413, 429, 503]);
/** RFC 9110 §10.2.3: seconds, or a date of the one form that may be sent (§5.6.7) */
const RETRY_AFTER =
  /^(?:[0-9]{1,9}|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} (?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60) GMT)$/;
const METHODS = /^(?:(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)(?:, ?|$))+$/;
/** X-RateLimit-Remaining, RateLimit-Reset … */
const RATE = /^(?:x-)?rate-?limit-(?:limit|remaining|reset)$/;
const COUNT = /^[0-9]{1,15}$/;

function saysOnlyWhen(name: string, value: string, status: number): boolean {
  if (name === 'retry-after') return BUSY.has(status) && RETRY_AFTER.test(value);
  if (name === 'allow') return status === 405 && METHODS.test(value);
  return BUSY.has(status) && RATE.test(name) && COUNT.test(value);
}

export function headerRules(extra: {
  readonly request?: readonly string[];
  readonly response?: readonly string[];
}): HeaderRules {
  const allowed = (base: readonly string[], more: readonly string[] = []): readonly string[] =>
    [...new Set([...base, ...more.map((h) => h.toLowerCase())])].filter(
      (h) => TAG_CONDITIONS.has(h) || !isNeverForwarded(h),
    );
  const writeNames = allowed(REQUEST_HEADERS, extra.request);
  const readNames = writeNames.filter((name) => !TAG_CONDITIONS.has(name));
  const responseNames = allowed(RESPONSE_HEADERS, extra.response).filter(
    (name) => !isDigest(name) && !TAG_CONDITIONS.has(name),
  );
  return {
    request(headers, writes) {
      const picked = pick(headers, writes ? writeNames : readNames);
      if (writes)
        for (const name of WRITE_CONDITIONS) {
          const value = headers[name];
          if (value === undefined || Object.hasOwn(picked, name)) continue;
          if (value !== '*') throw conditionRefused(name);
          picked[name] = value;
        }
      return picked;
    },
    response(headers, list) {
      const picked = pick(headers, responseNames);
      return list === null ? picked : recounted(picked, list);
    },
    announced,
    refused: (status, headers) =>
      Object.fromEntries(
        Object.entries(pick(headers, responseNames)).filter(([name, value]) =>
          saysOnlyWhen(name, value, status),
        ),
      ),
  };
}

const conditionRefused = (name: string): SluiceError =>
  new SluiceError(
    'write_condition_refused',
    `The write depends on the header ${name}, which is not forwarded: without it the upstream would write in any case. Send the write without it${
      TAG_CONDITIONS.has(name)
        ? '; or let the upstream have it (upstreams.<name>.request_headers), where whoever may write a record may also learn whether it has this tag'
        : ''
    }.`,
  );

/** X-Total-Count, X-Total, X-WP-Total, Record-Count, X-Result-Size … */
const COUNTS = /total|count|records|results?|items|found|matche|hits|rows|size|length/;
/** Link, X-Next-Page, X-Pagination, X-Continuation-Token …: where there is a next page there are more records */
const LINKS = /link|location|next|prev|pag(?:e|inat|ing)|more|cursor|continu|range|token|offset/;
/**
 * Content-MD5, X-Body-Hash, X-Checksum …: what is computed from the body as the upstream sent it. Whoever has that can try the digits that a mask
 * has taken out until they fit. Never passed.
 */
export const isDigest = (header: string): boolean =>
  /(?:^|[-_])(?:etag|(?:body|content)?-?hash|digest|md5|sha-?\d*|checksum|crc(?:32c?)?|signature)(?:$|[-_])/i.test(
    header,
  );
/** X-Cache, Age …: what says that it was asked for before */
const CACHED = /cache/;

/**
 * What counts records is told as a body's `total` is: as it came while nothing was withheld, anew where all of them were in this answer, and
 * else not at all.
 */
function recounted(
  headers: Record<string, string>,
  { records, records_withheld, last, guarded, paged }: Counted,
): Record<string, string> {
  if (last && records_withheld === 0 && !guarded) return headers;
  const told = last && !(guarded && (paged || records === 0));
  const links = guarded || records_withheld > 0;
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (COUNTS.test(name)) {
      if (told && value === String(records + records_withheld)) out[name] = String(records);
    } else if (!links || !(LINKS.test(name) || CACHED.test(name))) out[name] = value;
  }
  return out;
}

function pick(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  names: readonly string[],
): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (value === undefined) continue;
    const text = typeof value === 'string' ? value : value.join(', ');
    if (VISIBLE.test(text)) out[name] = text;
  }
  return out;
}
