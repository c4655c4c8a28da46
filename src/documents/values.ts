/** How the kinds of `kinds.ts` are written, and what they are converted to. */
import { resolve } from 'node:path';
import { syntaxFault } from '../model/pointer-faults.ts';
import type { Address, Kind } from './kinds.ts';
import {
  checkSecret,
  fromEnvironment,
  fromReference,
  isOpen,
  namesVariable,
  type Origin,
  type Resolved,
} from './secrets.ts';
import { bytes, milliseconds } from './units.ts';

type Converted = { readonly value: unknown } | { readonly fault: string };
interface Bounds {
  readonly min?: string;
  readonly max?: string;
}

const DESCRIPTIONS: { readonly [K in Kind]: string } = {
  text: 'text',
  duration: 'a duration such as 500ms, 10s, 5m, 12h or 30d',
  size: 'a size such as 512B, 64KiB, 4MiB or 1GiB',
  secret: 'a secret, as env:NAME or file:PATH',
  database: 'a PostgreSQL URL, as env:NAME or file:PATH where it has a password',
  path: 'a path',
  address: 'an address such as 127.0.0.1:8080 or [::1]:8080',
  pointer: 'a pointer such as /items/*/phone',
  url: 'an http: or https: URL without user name, password or fragment',
};

export const describeKind = (kind: Kind): string => DESCRIPTIONS[kind];

const must = (kind: Kind): Converted => ({ fault: `must be ${DESCRIPTIONS[kind]}` });

/**
 * The text that a text of a document stands for: itself, the variable of `env:NAME`, or the content of `file:PATH` where a secret is
 * expected. Every text of a configuration is resolved here, so that all sections take the same references.
 */
export function textOf(
  text: string,
  { kind, lines }: { readonly kind?: Kind | 'one_or_more'; readonly lines?: 'several' },
  origin: Origin & { readonly literalSecrets: boolean },
): Resolved {
  if (kind === 'secret' || kind === 'database') {
    const held = fromReference(text, origin);
    if (held !== null) return held;
    if (isOpen(text, kind, lines) || origin.literalSecrets) return { value: text };
    return {
      fault:
        'a secret does not stand in a configuration file: write env:NAME or file:PATH (insecure.literal_secrets)',
    };
  }
  const held = fromEnvironment(text, origin);
  // Text without a kind may begin with "env:" and mean it.
  if (held === null || (kind === undefined && !namesVariable(text))) return { value: text };
  return held;
}

/** @param value of a text, what `textOf` returns */
export function convert(
  kind: Kind,
  value: unknown,
  bounds: Bounds & { readonly lines?: 'several' },
  directory: string,
): Converted {
  switch (kind) {
    case 'text':
      return { value };
    case 'duration':
      return within(milliseconds(value), bounds, milliseconds, kind);
    case 'size':
      return within(bytes(value), bounds, bytes, kind);
    case 'path':
      return path(String(value), directory);
    case 'secret':
      return checkSecret(String(value), bounds.lines);
    case 'database':
      return /^postgres(?:ql)?:\/\/\S+$/.test(String(value).trim())
        ? { value: String(value).trim() }
        : must(kind);
    case 'address':
      return address(String(value));
    case 'pointer':
      return pointer(String(value));
    case 'url':
      return url(String(value));
  }
}

function within(
  n: number | null,
  { min, max }: Bounds,
  parse: (text: unknown) => number | null,
  kind: Kind,
): Converted {
  if (n === null) return must(kind);
  if (min !== undefined && n < parse(min)!) return { fault: `must be at least ${min}` };
  if (max !== undefined && n > parse(max)!) return { fault: `must be at most ${max}` };
  return { value: n };
}

/** `file:` and the like belong to secrets; here they would name a directory of that name. */
function path(text: string, directory: string): Converted {
  if (/^(?:file|base64|https?):|\0/i.test(text))
    return { fault: 'must be a path, without "file:" before it' };
  return { value: resolve(directory, text) };
}

function address(text: string): Converted {
  const m = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(m?.[3]);
  if (!m || port > 65_535) return must('address');
  const value: Address = { host: (m[1] ?? m[2])!, port };
  return { value };
}

function pointer(text: string): Converted {
  const fault = syntaxFault(text);
  return fault === null ? { value: text } : { fault: `must be ${DESCRIPTIONS.pointer}: ${fault}` };
}

function url(text: string): Converted {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username || parsed.password) return must('url');
  if (parsed.hash || text.includes('#')) return must('url');
  return { value: text };
}
