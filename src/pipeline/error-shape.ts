/**
 * In which format a request is refused: that of its route. Before there is a route, that which all routes of its path, or else all routes,
 * have in common; where they have none in common, `problem+json`.
 */
import type { Account } from './account.ts';
import type { ProxyRequest } from '../model/exchange.ts';
import type { ErrorShape } from '../endpoints/error-formats.ts';
import type { Stages } from './stages.ts';

const LONGEST_ID = 256;

export function errorShape(
  request: ProxyRequest,
  account: Account,
  { router }: Pick<Stages, 'router'>,
): ErrorShape {
  const format = account.errors ?? router.errorsOf(request.method, request.target, request.headers);
  return {
    format,
    soap12: /^\s*application\/soap\+xml\b/i.test(request.headers['content-type'] ?? ''),
    id: format === 'jsonrpc' && account.sent !== null ? idOf(account.sent) : 'null',
  };
}

/** The id of a call, as JSON: a number in the caller's own digits, since it is compared with them. */
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
