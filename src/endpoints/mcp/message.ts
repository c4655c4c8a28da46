/** JSON-RPC messages of callers (JSON-RPC 2.0; MCP 2024-11-05 to 2026-07-28), read strictly, and parts of JSON as they were written. */
import { isUtf8 } from 'node:buffer';
import { SluiceError } from '../../errors.ts';
import { ambiguityOf, closingQuote } from '../../model/json-text.ts';

/** A part of a text. */
export interface Slice {
  readonly from: number;
  readonly to: number;
}

const isBlank = (c: number): boolean => c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;

function skip(text: string, at: number): number {
  let i = at;
  while (i < text.length && isBlank(text.charCodeAt(i))) i++;
  return i;
}

/** @param at where a value of valid JSON begins @returns the position behind it */
function endOf(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === 0x22) return closingQuote(text, at) + 1;
  let i = at;
  if (first !== 0x7b && first !== 0x5b) {
    while (i < text.length && !isBlank(text.charCodeAt(i)) && !',]}'.includes(text[i]!)) i++;
    return i;
  }
  for (let depth = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) i = closingQuote(text, i);
    else if (c === 0x7b || c === 0x5b) depth++;
    else if ((c === 0x7d || c === 0x5d) && --depth === 0) return i + 1;
  }
  return i;
}

/** Members of an object of valid JSON without repeated names, or elements of an array under their numbers. */
export function membersOf(text: string, start = 0): ReadonlyMap<string, Slice> {
  const members = new Map<string, Slice>();
  let i = skip(text, start);
  const isArray = text[i] === '[';
  i = skip(text, i + 1);
  while (i < text.length && text[i] !== '}' && text[i] !== ']') {
    let name = String(members.size);
    if (!isArray) {
      const end = closingQuote(text, i) + 1;
      name = JSON.parse(text.slice(i, end)) as string;
      i = skip(text, skip(text, end) + 1);
    }
    const to = endOf(text, i);
    members.set(name, { from: i, to });
    i = skip(text, to);
    if (text[i] === ',') i = skip(text, i + 1);
  }
  return members;
}

export const sliceOf = (text: string, { from, to }: Slice): string => text.slice(from, to);

export type Members = { readonly [name: string]: unknown };

export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const DEPTH = 128;

export type ReadText = { readonly text: string; readonly value: unknown } | { readonly fault: string };

/** One JSON text that every reader reads alike. The fault is told in words that quote nothing. */
export function readText(bytes: Uint8Array): ReadText {
  if (!isUtf8(bytes)) return { fault: 'is not UTF-8' };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'is not JSON' };
  }
  const ambiguity = ambiguityOf(text, DEPTH);
  if (ambiguity === null) return { text, value };
  return { fault: ambiguity === 'depth' ? 'is nested too deep' : 'has the same name twice in one object' };
}

/** A request or notification of a caller. */
export interface Message {
  /** as JSON, as the caller has written it; null: a notification */
  readonly id: string | null;
  readonly method: string;
  readonly params: Members;
  /** a member of `params` as it was written; undefined: there is none */
  raw(name: string): string | undefined;
}

const LONGEST_ID = 256;
const MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);

/** @throws SluiceError `body_unreadable`, `mcp_message_invalid` */
export function readMessage(bytes: Uint8Array): Message {
  const read = readText(bytes);
  if ('fault' in read)
    throw new SluiceError('body_unreadable', `The request's body ${read.fault}. It is not passed on.`);
  const { text, value } = read;
  if (Array.isArray(value))
    throw invalid(
      'The body is a batch. Send each message on its own: batches are in no revision of MCP but 2025-03-26.',
    );
  if (!isMembers(value)) throw invalid('The body is no JSON-RPC message.');
  const { jsonrpc, method, params = {} } = value;
  if (jsonrpc !== '2.0') throw invalid('The member "jsonrpc" is not "2.0".');
  if (method === undefined && ('result' in value || 'error' in value))
    throw invalid(
      'The body is a response. Sluice passes on no requests of MCP servers (sampling, elicitation, roots), so that there is nothing to respond to.',
    );
  if (typeof method !== 'string' || !/^[A-Za-z0-9_/$.-]{1,128}$/.test(method))
    throw invalid('The member "method" is no name of a method.');
  if (!isMembers(params)) throw invalid('The member "params" is no object.');
  if (Object.keys(value).some((name) => !MEMBERS.has(name)))
    throw invalid('The message has a member that is none of jsonrpc, id, method and params.');
  const members = membersOf(text);
  const id = members.get('id');
  const inParams = members.has('params')
    ? membersOf(text, members.get('params')!.from)
    : new Map<string, Slice>();
  return {
    id: id === undefined ? null : idOf(value['id'], sliceOf(text, id)),
    method,
    params,
    raw: (name) => {
      const slice = inParams.get(name);
      return slice === undefined ? undefined : sliceOf(text, slice);
    },
  };
}

/** MCP: a string or an integer, never null. */
function idOf(id: unknown, spelled: string): string {
  const isId = typeof id === 'string' || (typeof id === 'number' && /^-?\d{1,20}$/.test(spelled));
  if (!isId || spelled.length > LONGEST_ID)
    throw invalid('The id is neither an integer nor a text of at most 254 characters.');
  return spelled;
}

export const invalid = (message: string): SluiceError => new SluiceError('mcp_message_invalid', message);
