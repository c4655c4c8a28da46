/**
 * The format in which a request is refused: that of its route. Before there is a route, the format that all routes of its path have, or
 * else all routes; where they differ, `problem+json`.
 */
import type { DecisionEntry } from './record.ts';
import type { ErrorFormat, ProxyRequest } from '../model/exchange.ts';
import type { Stages } from './stages.ts';

/** How the client of a request reads a refusal. */
export interface ErrorShape {
  readonly format: ErrorFormat;
  /** SOAP: version 1.2, else 1.1 */
  readonly soap12: boolean;
  /** JSON-RPC: the `id` of the call, as JSON */
  readonly id: string;
  /** MCP: the call is of a revision without sessions, whose errors have statuses of HTTP */
  readonly stateless?: boolean;
}

const LONGEST_ID = 256;

export function errorShape(
  request: Pick<ProxyRequest, 'method' | 'target' | 'headers'>,
  entry: DecisionEntry,
  { router }: Pick<Stages, 'router'>,
): ErrorShape {
  const format = entry.errorFormat ?? router.errorsOf(request.method, request.target, request.headers);
  return {
    format,
    soap12: /^\s*application\/soap\+xml\b/i.test(request.headers['content-type'] ?? ''),
    id:
      format === 'jsonrpc' && entry.requestBody !== null
        ? idOf(entry.requestBody)
        : (entry.call?.id ?? 'null'),
    stateless: entry.call?.stateless === true,
  };
}

/** The id of a call, as JSON. A number keeps the caller's own digits, since clients compare them. */
function idOf(body: Uint8Array): string {
  const digits = new WeakMap<object, string>();
  let call: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    call = JSON.parse(text, function (
      this: object,
      key: string,
      value: unknown,
      context?: { source?: string },
    ) {
      if (key === 'id' && typeof value === 'number') digits.set(this, context?.source ?? String(value));
      return value;
    } as (this: unknown, key: string, value: unknown) => unknown);
  } catch {
    return 'null';
  }
  if (typeof call !== 'object' || call === null || Array.isArray(call)) return 'null';
  const { id } = call as { readonly id?: unknown };
  const spelled = typeof id === 'string' ? JSON.stringify(id) : (digits.get(call) ?? 'null');
  return spelled.length > LONGEST_ID ? 'null' : spelled;
}
