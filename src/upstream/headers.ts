/**
 * Which headers are forwarded, in both directions, by allow-lists. An unknown header is dropped, so neither an
 * identity-switching request header (`X-User`, `X-Forwarded-User`, `X-HTTP-Method-Override`) nor a revealing response
 * header (`Set-Cookie`, `Server`, `Link`, `Location`, `Content-Disposition`, `Refresh`, `X-Total-Count`) passes.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { SluiceError } from '../errors.ts';
import { type Announced, announced } from './announced.ts';

/**
 * Request headers that do not identify the caller. Conditional and range headers are missing: the responses to them (304, 206, 412) reveal
 * bytes that are not disclosed.
 */
const REQUEST_HEADERS = ['accept', 'accept-language', 'content-type', 'soapaction'] as const;

/**
 * Conditions of a write (RFC 9110 §13.1) and its range (§14.5): without them a write would overwrite too much. `*` only tests
 * whether the record exists.
 */
const WRITE_CONDITIONS = ['if-match', 'if-none-match', 'if-unmodified-since', 'content-range'] as const;
/** Conditions that a configuration may allow with an entity tag. */
export const TAG_CONDITIONS: ReadonlySet<string> = new Set(['if-match', 'if-none-match']);

/**
 * Empty by default: the upstream chooses the text of any field, and even Content-Language reveals the language of a person. The
 * operator is responsible for added ones. The reply sets `content-type` itself.
 */
const RESPONSE_HEADERS: readonly string[] = [];

/** Hop-by-hop (RFC 9110 §7.6.1), framing, credentials, validators, and headers that override method, path or caller. */
const NEVER =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-(?:length|encoding|range)|host|authorization|cookie|set-cookie|expect|range|if-.*|accept-(?:encoding|ranges)|etag|last-modified|x-http-method.*|x-method-override|x-original-url|x-rewrite-url|sluice-.*)$/i;

/** Never allowed by a configuration, in either direction, except `TAG_CONDITIONS` in requests. */
export const isNeverForwarded = (header: string): boolean => NEVER.test(header);

/** RFC 9110 §5.5 field-vchar, without obs-text, which readers decode differently. */
const VISIBLE = /^[\t\x20-\x7e]*$/;

/** What is known about a list's records when its headers are sent. */
export interface Counted {
  readonly records: number;
  readonly records_withheld: number;
  /** no more records can follow */
  readonly last: boolean;
  /** the request narrowed the list by fields, or the list must hold groups: headers must not depend on withheld records */
  readonly guarded: boolean;
  /** a guarded list may be one page of the results: no header states a total */
  readonly paged: boolean;
}

export interface HeaderRules {
  /** @throws SluiceError `write_condition_refused` */
  request(headers: IncomingHttpHeaders, writes: boolean): Record<string, string>;
  /** @param list null for a response with a single record */
  response(
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
    list: Counted | null,
  ): Record<string, string>;
  /** what the response headers state about the list's length, whether or not they are forwarded */
  announced(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Announced;
  /** headers of an error that are forwarded although its body is not: configured, well formed, and only about when to retry */
  refused(
    status: number,
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ): Record<string, string>;
}

const BUSY: ReadonlySet<number> = new Set([413, 429, 503]);
/** RFC 9110 §10.2.3: seconds, or a date in the preferred format (§5.6.7) */
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
/** Link, X-Next-Page, X-Pagination, X-Continuation-Token …: they show that there are more records */
const LINKS = /link|location|next|prev|pag(?:e|inat|ing)|more|cursor|continu|range|token|offset/;
/**
 * Content-MD5, X-Body-Hash, X-Checksum …: computed from the upstream's body. A caller could test candidates for masked digits against
 * them, so they are never forwarded.
 */
export const isDigest = (header: string): boolean =>
  /(?:^|[-_])(?:etag|(?:body|content)?-?hash|digest|md5|sha-?\d*|checksum|crc(?:32c?)?|signature)(?:$|[-_])/i.test(
    header,
  );
/** X-Cache, Age …: they reveal that the resource was requested before */
const CACHED = /cache/;

/**
 * A header that counts records is treated like a body's `total`: unchanged while nothing was withheld, recomputed if all records are in this
 * response, else removed.
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
