/** A call as HTTP brings it → the operation, and its parameters and body as the operation's schemas have them. */
import type { Request, Response } from 'express';
import { parseItem } from 'structured-headers';
import { compiledFault, type TSchema } from '../../../documents/kinds.ts';
import { SluiceError } from '../../../errors.ts';
import { jsonReader } from '../../express.ts';
import type { Operation } from './operation.ts';

export interface Found {
  readonly operation: Operation;
  readonly path: Readonly<Record<string, string>>;
}

const BODY_BYTES = 65_536;
const LONGEST_PARAMETER = 512;
const readJson = jsonReader(BODY_BYTES);

/** @throws SluiceError `path_not_canonical`, `route_unknown`, `method_not_allowed`, `input_invalid` */
export function find(operations: readonly Operation[], method: string, target: string): Found {
  const [path = ''] = target.split('?', 1);
  const steps = path.split('/').slice(1).map(decoded);
  const allowed = new Set<string>();
  let found: Found | null = null;
  let fixed = -1;
  for (const operation of operations) {
    const parameters = matched(operation.path.split('/').slice(1), steps);
    if (parameters === null) continue;
    allowed.add(operation.method);
    // `/v1/grants/break-glass` is a name, and not the id of a grant.
    const names = -Object.keys(parameters).length;
    if (operation.method !== method || (found !== null && names < fixed)) continue;
    found = { operation, path: parameters };
    fixed = names;
  }
  if (found !== null) {
    for (const value of Object.values(found.path)) {
      if (value.length > LONGEST_PARAMETER)
        throw new SluiceError('input_invalid', 'A parameter of the path is too long.');
      requireText(value);
    }
    return found;
  }
  if (allowed.size > 0)
    throw new SluiceError('method_not_allowed', {
      message: `This path has ${[...allowed].join(' and ')}.`,
      headers: { allow: [...allowed].join(', ') },
    });
  throw new SluiceError('route_unknown', 'The admin API has no such path: see /openapi.json.');
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch (cause) {
    throw new SluiceError('path_not_canonical', {
      message: 'The path has a percent sign that does not begin an encoded character of UTF-8.',
      cause,
    });
  }
}

function matched(template: readonly string[], steps: readonly string[]): Record<string, string> | null {
  if (template.length !== steps.length) return null;
  const parameters: Record<string, string> = {};
  for (const [i, part] of template.entries()) {
    const step = steps[i]!;
    if (!part.startsWith('{')) {
      if (part !== step) return null;
    } else if (step === '') return null;
    else parameters[part.slice(1, -1)] = step;
  }
  return parameters;
}

const faults = new WeakMap<TSchema, (value: unknown) => string | null>();

/** @throws SluiceError `input_invalid` */
function require(value: unknown, schema: TSchema, what: string): void {
  let faultOf = faults.get(schema);
  if (faultOf === undefined) {
    faultOf = compiledFault(schema);
    faults.set(schema, faultOf);
  }
  const fault = faultOf(value);
  if (fault !== null) throw new SluiceError('input_invalid', `${what}: ${fault}.`);
  requireText(value);
}

/** @throws SluiceError `input_invalid` for what no database keeps as it is */
function requireText(value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed())
      throw new SluiceError('input_invalid', 'A text has a NUL or half a character in it.');
  } else if (typeof value === 'object' && value !== null)
    for (const one of Object.values(value)) requireText(one);
}

/** @throws SluiceError `request_malformed`, `input_invalid` */
export function queryOf({ query: schema }: Operation, target: string): unknown {
  const at = target.indexOf('?');
  const query: Record<string, unknown> = {};
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> };
  for (const [name, value] of new URLSearchParams(at < 0 ? '' : target.slice(at + 1))) {
    if (Object.hasOwn(query, name))
      throw new SluiceError('request_malformed', 'A parameter of the query is repeated.');
    const isNumber = Object.hasOwn(properties, name) && properties[name]?.type === 'integer';
    Object.defineProperty(query, name, {
      value: isNumber && /^\d{1,15}$/.test(value) ? Number(value) : value,
      enumerable: true,
    });
  }
  require(query, schema, 'The query');
  return query;
}

/** @throws SluiceError `body_unreadable`, `body_too_large`, `input_invalid` */
export async function bodyOf({ body: schema }: Operation, req: Request, res: Response): Promise<unknown> {
  if (schema === null) return undefined;
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers;
  const isEmpty = coding === undefined && (length === undefined || Number(length) === 0);
  const body = isEmpty ? {} : await readJson(req, res);
  require(body, schema, 'The body');
  return body;
}

const BARE = /^[\w.:~+/=-]{1,255}$/;

/**
 * A string of RFC 9651 in quotes, as the draft asks for, or the same without.
 * @returns null: there is none
 * @throws SluiceError `idempotency_key_invalid`
 */
export function idempotencyKeyOf({ headers }: Pick<Request, 'headers'>): string | null {
  const value = headers['idempotency-key'];
  if (value === undefined) return null;
  if (typeof value === 'string') {
    if (BARE.test(value)) return value;
    try {
      const [key] = parseItem(value);
      if (typeof key === 'string' && key !== '' && key.length <= 255) return key;
    } catch {
      // answered below
    }
  }
  throw new SluiceError(
    'idempotency_key_invalid',
    'The Idempotency-Key is a text of 1 to 255 characters in quotes, once: a new UUID for each request.',
  );
}
