/** Traces of requests across systems: W3C Trace Context, https://www.w3.org/TR/trace-context/ */
import type { IncomingHttpHeaders } from 'node:http';

/** One request in its trace. */
export interface RequestTrace {
  /** 32 hexadecimal digits */
  readonly id: string;
  /** headers by which an upstream continues the trace */
  readonly headers: Readonly<Record<string, string>>;
  /** absent: no spans are kept of this request */
  readonly spans?: RequestSpans;
}

export interface RequestSpans {
  /** @param from, until milliseconds since the request came */
  stage(name: string, from: number, until: number): void;
  /** @param after milliseconds since the request came; @param told names and values, none of a record */
  end(after: number, told: Readonly<Record<string, string | number | null>>, isError: boolean): void;
}

/** @param at when the request came. @returns null: it belongs to no trace */
export type Tracing = (method: string, headers: IncomingHttpHeaders, at: Date) => RequestTrace | null;

interface Parent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
  /** as it came */
  readonly headers: Readonly<Record<string, string>>;
}

/** A later version may have further parts, which are not looked at. */
const TRACEPARENT =
  /^(?:00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})|(?!ff|00)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?)$/;
const NO_TRACE = /^0+$/;
/** at most what every system must pass on */
const MOST_STATE = 512;
const MEMBER = /^[ \t]*(?:[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256})?[ \t]*$/;

/** What a caller says of its trace; null: nothing, or not in the form of the standard, which says to ignore it then. */
export function parentOf(headers: IncomingHttpHeaders): Parent | null {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string') return null;
  const found = TRACEPARENT.exec(traceparent);
  if (found === null) return null;
  const [traceId, spanId, flags] = (found[1] === undefined ? found.slice(4, 7) : found.slice(1, 4)) as [
    string,
    string,
    string,
  ];
  if (NO_TRACE.test(traceId) || NO_TRACE.test(spanId)) return null;
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
  const state = typeof tracestate === 'string' && isState(tracestate) ? { tracestate } : null;
  // Of another version only what this one knows is passed on.
  const headersOn = { traceparent: `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`, ...state };
  return { traceId, spanId, isSampled, headers: headersOn };
}

const isState = (text: string): boolean =>
  text.length <= MOST_STATE &&
  text.split(',').length <= 32 &&
  text.split(',').every((member) => MEMBER.test(member));

/** Without spans of its own, Sluice is not seen in the trace: what the caller says is passed on. */
export const passingOn: Tracing = (_method, headers) => {
  const parent = parentOf(headers);
  return parent === null ? null : { id: parent.traceId, headers: parent.headers };
};
