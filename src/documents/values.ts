/** How the kinds of `kinds.ts` are spelled, and what they turn into. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Address, Kind } from './kinds.ts';

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

const ENV = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;
/** What a secret of several lines may be without being secret. */
const PUBLIC_PEM = /^\s*-----BEGIN (?:[A-Z]+ )?(?:PUBLIC KEY|CERTIFICATE)-----/;
const SECRETS: readonly (Kind | undefined)[] = ['secret', 'database'];

interface Origin {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** relative paths start here */
  readonly directory: string;
  readonly literalSecrets: boolean;
}

/**
 * What a text stands for: itself, the variable of `env:NAME`, for a secret the content of `file:PATH`. Every text of the configuration goes
 * through here, so that all sections read alike.
 */
export function referred(
  text: string,
  { kind, lines }: { readonly kind?: Kind | 'one_or_more'; readonly lines?: 'several' },
  { env, directory, literalSecrets }: Origin,
): { readonly value: string } | { readonly fault: string } {
  const isSecret = SECRETS.includes(kind as Kind);
  const variable = ENV.exec(text)?.[1];
  if (variable !== undefined) {
    const held = env[variable];
    if (held === undefined || held === '')
      return { fault: `the environment variable ${variable} is not set` };
    return { value: held };
  }
  if (kind !== undefined && text.startsWith('env:'))
    return { fault: 'names no environment variable: write env:NAME, of letters, digits and _' };
  if (!isSecret) return { value: text };
  if (text.startsWith('file:')) {
    try {
      return { value: readFileSync(resolve(directory, text.slice(5)), 'utf8').replace(/\r?\n$/, '') };
    } catch (e) {
      return {
        fault: `the secret's file cannot be read (${(e as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      };
    }
  }
  const isOpen = kind === 'database' ? !hasPassword(text) : lines === 'several' && PUBLIC_PEM.test(text);
  if (isOpen || literalSecrets) return { value: text };
  return {
    fault:
      'a secret does not stand in a configuration file: write env:NAME or file:PATH (insecure.literal_secrets)',
  };
}

/** Also where it cannot be read as a URL: then nobody knows what is in it. */
function hasPassword(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { password, searchParams } = new URL(text);
  return password !== '' || [...searchParams.keys()].some((key) => /pass/i.test(key));
}

const must = (kind: Kind): Converted => ({ fault: `must be ${DESCRIPTIONS[kind]}` });

/** @param value what `referred` has made of it */
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
      return secret(String(value), bounds.lines);
    case 'database':
      return /^postgres(?:ql)?:\/\/\S+$/.test(String(value).trim())
        ? { value: String(value).trim() }
        : must(kind);
    case 'address':
      return address(String(value));
    case 'pointer':
      return isPointer(String(value)) ? { value } : must(kind);
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

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(value: unknown): number | null {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value));
  return m ? Math.round(Number(m[1]) * UNIT_MS[m[2]!]!) : null;
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function bytes(value: unknown): number | null {
  const m = /^(\d+)(B|KiB|MiB|GiB|TiB)?$/.exec(String(value));
  const n = m ? Number(m[1]) * UNIT_BYTES[m[2] ?? 'B']! : Number.NaN;
  return Number.isSafeInteger(n) ? n : null;
}

/** `file:` and the like belong to secrets; here they would name a directory of that name. */
function path(text: string, directory: string): Converted {
  if (/^(?:file|base64|https?):|\0/i.test(text))
    return { fault: 'must be a path, without "file:" before it' };
  return { value: resolve(directory, text) };
}

/** What is in the file or the environment never gets into a message. */
function secret(value: string, lines: 'several' | undefined): Converted {
  if (value.trim() === '') return { fault: 'the secret is empty' };
  if (value.includes('\0') || (lines === undefined && /[\r\n]/.test(value)))
    return { fault: 'the secret has more than one line' };
  if (value.startsWith('\ufeff'))
    return { fault: 'the secret begins with a byte order mark: write its file without one' };
  return { value };
}

function address(text: string): Converted {
  const m = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(m?.[3]);
  if (!m || port > 65_535) return must('address');
  const value: Address = { host: (m[1] ?? m[2])!, port };
  return { value };
}

/**
 * Steps after `/`, `~` only as `~0` or `~1` (RFC 6901 §3) or as `~2` before a name; a step in brackets only as `[key=value,…]`, there with
 * `~3` to `~6` as well.
 */
function isPointer(text: string): boolean {
  if (!text.startsWith('/')) return false;
  return text
    .slice(1)
    .split('/')
    .every((step) =>
      step.startsWith('[')
        ? /^\[[^=\]]+=.+\]$/.test(step) && !/~(?![013-6])/.test(step)
        : !/~(?![01])/.test(step.replace(/^~2/, '')),
    );
}

function url(text: string): Converted {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username || parsed.password) return must('url');
  if (parsed.hash || text.includes('#')) return must('url');
  return { value: text };
}
