/**
 * Credentials that must no longer be taken: a YAML list, read again when it changes. While it cannot be read nobody can
 * be known not to be on it, so that everybody is refused.
 */
import { parse } from 'yaml';
import { SluiceError } from '../errors.ts';
import type { Clock } from '../observability/clock.ts';
import { observeFile } from '../observability/file.ts';
import type { Logger } from '../observability/logger.ts';
import type { Authenticated } from './types.ts';

export interface Revocations {
  /**
   * @param digest SHA-256 of the token or key, hex
   * @throws SluiceError `token_revoked`, `keys_unavailable`
   */
  check(authenticated: Authenticated, digest: string): void;
  ready(): { readonly ok: boolean; readonly detail?: string };
  close(): void;
}

interface Revoked {
  readonly ids: ReadonlySet<string>;
  readonly digests: ReadonlySet<string>;
  /** subject → tokens issued before this are revoked, ms */
  readonly subjects: ReadonlyMap<string, number>;
}

export const NO_REVOCATIONS: Revocations = { check: () => {}, ready: () => ({ ok: true }), close: () => {} };

/** @throws SluiceError `config_invalid` when the list cannot be used at the start */
export function openRevocations(
  path: string,
  { clock, logger }: { clock: Clock; logger: Logger },
): Revocations {
  const file = (() => {
    try {
      return observeFile({
        path,
        clock,
        parse: parseRevoked,
        onError: () =>
          logger.error({ file: path }, 'the list of revocations cannot be read: everybody is refused'),
      });
    } catch (cause) {
      throw new SluiceError('config_invalid', {
        message: `identity.revocations: ${path} cannot be used: ${(cause as Error).message}`,
        cause,
      });
    }
  })();
  return {
    check({ subject, claims }, digest) {
      if (file.error !== null)
        throw new SluiceError(
          'keys_unavailable',
          'The list of revocations cannot be read: no credential can be taken now.',
        );
      const { ids, digests, subjects } = file.value;
      const before = subjects.get(subject.id);
      const issued = typeof claims['iat'] === 'number' ? claims['iat'] * 1000 : 0;
      const isRevoked =
        digests.has(digest) ||
        (typeof claims['jti'] === 'string' && ids.has(claims['jti'])) ||
        (before !== undefined && issued < before);
      if (isRevoked) throw new SluiceError('token_revoked', 'The credential has been revoked.');
    },
    ready: () =>
      file.error === null ? { ok: true } : { ok: false, detail: 'the list of revocations cannot be read' },
    close: () => file.close(),
  };
}

/** `- jti: …`, `- sha256: …`, `- { subject: …, before: 2026-01-01T00:00:00Z }` (without `before`: whenever issued) */
function parseRevoked(text: string): Revoked {
  const entries: unknown = parse(text) ?? [];
  if (!Array.isArray(entries)) throw new Error('a list is wanted');
  const ids = new Set<string>();
  const digests = new Set<string>();
  const subjects = new Map<string, number>();
  for (const [i, entry] of entries.entries()) {
    const { jti, sha256, subject, before, ...rest } = (entry ?? {}) as Record<string, unknown>;
    const given = [jti, sha256, subject].filter((v) => v !== undefined);
    const isPlain = given.length === 1 && typeof given[0] === 'string' && Object.keys(rest).length === 0;
    const time = before === undefined ? Number.POSITIVE_INFINITY : Date.parse(String(before));
    if (!isPlain || Number.isNaN(time) || (before !== undefined && subject === undefined))
      throw new Error(`entry ${i + 1} needs one of jti, sha256, subject (with before, a time, if wanted)`);
    if (typeof jti === 'string') ids.add(jti);
    if (typeof sha256 === 'string') {
      if (!/^[0-9a-f]{64}$/i.test(sha256))
        throw new Error(`entry ${i + 1} has a sha256 that is not 64 hexadecimal digits`);
      digests.add(sha256.toLowerCase());
    }
    if (typeof subject === 'string') subjects.set(subject, Math.max(time, subjects.get(subject) ?? 0));
  }
  return { ids, digests, subjects };
}
