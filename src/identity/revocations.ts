/**
 * Revoked credentials: a YAML list that is read again when it changes. While it cannot be read, any credential may be revoked, so
 * all are rejected.
 */
import { isSluiceError, SluiceError } from '../errors.ts';
import { faultsIn, spellFault } from '../documents/faults.ts';
import type { Clock } from '../observability/clock.ts';
import { namesOf } from '../model/realm.ts';
import { asSeen } from '../model/spelling.ts';
import { UNMARKED } from '../documents/complete.ts';
import { observeFile } from '../observability/file.ts';
import type { Logger } from '../observability/logger.ts';
import { parseRevoked, type Revoked, revokedError } from './revoked.ts';
import type { Authenticated } from './types.ts';

export interface Revocations {
  /** @throws SluiceError `token_revoked`, `keys_unavailable` */
  check(authenticated: Authenticated): void;
  /**
   * Checks a client certificate, for any subject.
   * @throws SluiceError `token_revoked`, `keys_unavailable`
   */
  checkDigest(digest: string): void;
  ready(): { readonly ok: boolean; readonly detail?: string };
  /** reads the list now */
  refresh(): void;
  close(): void;
}

export const NO_REVOCATIONS: Revocations = {
  check: () => {},
  checkDigest: () => {},
  ready: () => ({ ok: true }),
  refresh: () => {},
  close: () => {},
};

/** @throws SluiceError `config_invalid` if the list is unusable at start */
export function openRevocations(
  path: string,
  { clock, logger, onChange }: { clock: Clock; logger: Logger; onChange?: () => void },
): Revocations {
  const file = (() => {
    try {
      return observeFile({
        path,
        clock,
        parse: (text, before) => {
          const revoked = parseRevoked(text, before);
          if (!revoked.isMarked) logger.warn({ file: path }, `revocations: ${UNMARKED}`);
          return revoked;
        },
        ...(onChange === undefined ? {} : { onChange }),
        onError: () =>
          logger.error(
            { file: path },
            'the list of revocations cannot be read: all credentials are rejected',
          ),
      });
    } catch (cause) {
      throw new SluiceError('config_invalid', {
        message: isSluiceError(cause)
          ? `identity.revocations: ${faultsIn(cause)
              .map((fault) => spellFault({ ...fault, file: path }))
              .join('\n')}`
          : `identity.revocations: ${path} cannot be used: ${(cause as Error).message}`,
        cause,
      });
    }
  })();
  function current(): Revoked {
    if (file.error === null) return file.value;
    throw new SluiceError(
      'keys_unavailable',
      'The list of revocations cannot be read, so no credential is accepted now.',
    );
  }
  return {
    check({ subject, claims, digests: names }) {
      const { ids, digests, subjects } = current();
      const befores = namesOf(subject.id).flatMap((name) => subjects.get(asSeen(name)) ?? []);
      const issued = typeof claims['iat'] === 'number' ? claims['iat'] * 1000 : 0;
      const isRevoked =
        (digests.size > 0 && names.some((name) => digests.has(name))) ||
        (ids.size > 0 && claims['jti'] !== undefined && ids.has(asSeen(String(claims['jti'])))) ||
        befores.some((before) => issued < before);
      if (isRevoked) throw revokedError(subject);
    },
    checkDigest(digest) {
      if (current().digests.has(digest)) throw revokedError();
    },
    ready: () =>
      file.error === null ? { ok: true } : { ok: false, detail: 'the list of revocations cannot be read' },
    refresh: () => file.look(true),
    close: () => file.close(),
  };
}
