/** A case number: an upstream says whom the case is about. */
import { LRUCache } from 'lru-cache';
import { compilePattern } from '../documents/pattern.ts';
import { SluiceError } from '../errors.ts';
import { tokensOf } from '../model/pointer.ts';
import type { CaseConfig } from './section.ts';
import { FAILED, type Finding } from './finding.ts';

/** @returns the status, and the body; null for a body that is too long */
export type Ask = (
  upstream: string,
  target: string,
) => Promise<{ readonly status: number; readonly body: string | null }>;

interface Case {
  readonly data_subject: string;
  readonly caller: string | null;
}

const REMEMBERED = 10_000;

/** @returns a function that throws SluiceError `verification_unavailable` */
export function createCases(
  config: CaseConfig,
  ask: Ask,
): (value: string, caller: string) => Promise<Finding> {
  const pattern = compilePattern(config.pattern);
  const remembered =
    config.cache === 0 ? null : new LRUCache<string, Case>({ max: REMEMBERED, ttl: config.cache });

  async function find(value: string): Promise<Case | null> {
    const known = remembered?.get(value);
    if (known !== undefined) return known;
    const found = await asked(config, ask, value);
    // What proves nothing is not remembered: a case may be opened at any time.
    if (found !== null) remembered?.set(value, found);
    return found;
  }

  return async (value, caller) => {
    // `.` and `..` would be path segments with a meaning (RFC 3986 §5.2.4).
    if (/^\.+$/.test(value) || !pattern.matches(value)) return FAILED;
    const found = await find(value);
    if (found === null || (config.caller !== undefined && found.caller !== caller)) return FAILED;
    return { data_subject: found.data_subject };
  };
}

/** Null: the case proves nothing. */
async function asked(config: CaseConfig, ask: Ask, value: string): Promise<Case | null> {
  let answer: Awaited<ReturnType<Ask>>;
  try {
    answer = await ask(
      config.upstream,
      config.path.replace('{value}', () => encodeURIComponent(value)),
    );
  } catch (cause) {
    throw unavailable('did not answer', cause);
  }
  if (answer.status === 404 || answer.status === 410) return null;
  if (answer.status !== 200 || answer.body === null)
    throw unavailable(`answered with status ${answer.status}`);
  let document: unknown;
  try {
    document = JSON.parse(answer.body);
  } catch {
    throw unavailable('did not answer with JSON');
  }
  const { open } = config;
  const state = open === undefined ? null : textAt(document, open.at);
  if (open !== undefined && (state === null || !open.in.includes(state))) return null;
  const data_subject = textAt(document, config.data_subject);
  if (data_subject === null) return null;
  return { data_subject, caller: config.caller === undefined ? null : textAt(document, config.caller) };
}

const unavailable = (why: string, cause?: unknown): SluiceError =>
  new SluiceError('verification_unavailable', {
    message: `Cases cannot be checked now: the system that knows them ${why} (verification.case).`,
    cause,
  });

function textAt(document: unknown, pointer: string): string | null {
  let value = document;
  for (const step of tokensOf(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return null;
    value = (value as Record<string, unknown>)[step];
  }
  if (typeof value === 'string') return value.trim() === '' ? null : value.trim();
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
}
