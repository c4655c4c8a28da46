/** Revisions of MCP, and the headers that repeat parts of a message. */
import type { IncomingHttpHeaders } from 'node:http';
import { SluiceError } from '../../errors.ts';
import { isMembers, type Message } from './message.ts';

/** with sessions and `initialize` */
const LEGACY: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
/** each request says all of itself */
const STATELESS: readonly string[] = ['2026-07-28'];
const ALL: readonly string[] = [...STATELESS, ...LEGACY];

export const isRevision = (value: unknown): value is string => ALL.includes(value as string);

export interface Revision {
  /** as the header says; null: it says nothing, which is 2025-03-26 or `initialize` */
  readonly version: string | null;
  readonly stateless: boolean;
}

const META = 'io.modelcontextprotocol/';

/** methods whose `Mcp-Name` repeats a member of `params` */
const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'resources/read': 'uri',
  'prompts/get': 'name',
};

/** @throws SluiceError `mcp_version_unsupported`, `mcp_header_mismatch`, `mcp_argument_unknown` */
export function revisionOf(headers: IncomingHttpHeaders, { method, params }: Message): Revision {
  const version = one(headers, 'mcp-protocol-version');
  const meta = isMembers(params['_meta']) ? params['_meta'] : {};
  const said = meta[`${META}protocolVersion`];
  if (version === null) {
    if (said !== undefined) throw mismatch('MCP-Protocol-Version is missing');
    return { version: null, stateless: false };
  }
  if (!ALL.includes(version))
    throw new SluiceError(
      'mcp_version_unsupported',
      `Sluice speaks these revisions of MCP: ${ALL.join(', ')} (MCP-Protocol-Version).`,
    );
  const stateless = STATELESS.includes(version);
  if (said !== undefined || stateless) {
    if (said === undefined)
      throw new SluiceError(
        'mcp_argument_unknown',
        `The message lacks ${META}protocolVersion in params._meta, which this revision demands.`,
      );
    if (said !== version) throw mismatch('MCP-Protocol-Version differs from the message');
    if (stateless && !isMembers(meta[`${META}clientCapabilities`]))
      throw new SluiceError(
        'mcp_argument_unknown',
        `The message lacks ${META}clientCapabilities in params._meta, which this revision demands.`,
      );
  }
  // Whoever sends them must mean what the message says, in any revision: others may read the headers alone.
  const headerMethod = one(headers, 'mcp-method');
  if (headerMethod === null ? stateless : headerMethod !== method) throw mismatch('Mcp-Method');
  const member = Object.hasOwn(NAMED, method) ? NAMED[method]! : null;
  const name = one(headers, 'mcp-name');
  if (member === null ? name !== null : name === null ? stateless : plain(name) !== params[member])
    throw mismatch('Mcp-Name');
  return { version, stateless };
}

const one = (headers: IncomingHttpHeaders, name: string): string | null => {
  const value = headers[name];
  return value === undefined ? null : String(value);
};

/** `=?base64?…?=`: a value that is no plain ASCII */
function plain(value: string): string {
  const coded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value);
  return coded === null ? value : Buffer.from(coded[1]!, 'base64').toString('utf8');
}

const mismatch = (header: string): SluiceError =>
  new SluiceError(
    'mcp_header_mismatch',
    `A header and the message differ, or the header is missing: ${header}. Send what the message says.`,
  );

/** Members of `params._meta` that the MCP server gets. The client can do nothing for the server: Sluice passes no requests on. */
export const metaFor = ({ version, stateless }: Revision): object | null =>
  stateless ? { [`${META}protocolVersion`]: version, [`${META}clientCapabilities`]: {} } : null;

/** Headers that the MCP server gets. */
export function headersFor(
  { version, stateless }: Revision,
  method: string,
  name: string | null,
): Record<string, string> {
  return {
    ...(version === null ? {} : { 'mcp-protocol-version': version }),
    ...(stateless ? { 'mcp-method': method } : {}),
    ...(stateless && name !== null ? { 'mcp-name': coded(name) } : {}),
  };
}

const coded = (name: string): string =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !name.startsWith('=?base64?')
    ? name
    : `=?base64?${Buffer.from(name).toString('base64')}?=`;
