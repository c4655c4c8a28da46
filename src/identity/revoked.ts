/** Parses the list of revoked credentials. */
import { SluiceError } from '../errors.ts';
import type { Subject } from '../model/input.ts';
import { startOf } from '../model/moment.ts';
import { asSeen, holdsUnseen } from '../model/spelling.ts';
import { type Completeness, completenessOf } from '../documents/complete.ts';
import { type Fault, faultError } from '../documents/faults.ts';
import { readYaml } from '../documents/yaml.ts';

export interface Revoked {
  readonly ids: ReadonlySet<string>;
  readonly digests: ReadonlySet<string>;
  /** subject → tokens issued before this are revoked, ms */
  readonly subjects: ReadonlyMap<string, number>;
  readonly isMarked: Completeness['isMarked'];
}

/** `Date.parse` accepts almost any text as a date, and a date that is too early revokes less. */
const MOMENT = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** hexadecimal; for a certificate also with colons, as tools print it */
export const DIGEST = /^(?:[0-9a-f]{64}|(?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i;

/**
 * `- jti: …`, `- sha256: …`, `- { subject: …, before: 2026-01-01T00:00:00Z }` (without `before`: regardless of the time of issue); `[]` if there are none.
 * @throws SluiceError `config_invalid` with line numbers, but without values of the list
 */
export function parseRevoked(text: string, before: string | null = null): Revoked {
  const yaml = readYaml('', text, { dialect: 'sluice', isPersonal: true });
  if ('faults' in yaml) throw invalid(yaml.faults);
  const { document } = yaml;
  const { fault, isMarked } = completenessOf(document, before);
  if (fault !== null) throw invalid([document.fault([], fault)]);
  const entries: unknown = document.value;
  if (!Array.isArray(entries))
    throw invalid([document.fault([], 'must be a list; write [] if nothing is revoked yet')]);
  const ids = new Set<string>();
  const digests = new Set<string>();
  const subjects = new Map<string, number>();
  for (const [i, entry] of entries.entries()) {
    const refuse = (message: string): never => {
      throw invalid([document.fault([i], `entry ${i + 1} ${message}`)]);
    };
    const { jti, sha256, subject, before: until, ...rest } = (entry ?? {}) as Record<string, unknown>;
    const given = [jti, sha256, subject].filter((v) => v !== undefined);
    const isPlain =
      given.length === 1 && typeof given[0] === 'string' && given[0] !== '' && Object.keys(rest).length === 0;
    const time = timeOf(until);
    if (!isPlain || Number.isNaN(time) || (until !== undefined && subject === undefined))
      refuse(
        'needs one of jti, sha256, subject, in quotes where it looks like a number (with before, an RFC 3339 time, if wanted)',
      );
    if (holdsUnseen(given[0] as string))
      refuse('has a blank around its name or an invisible character in it: nothing would be found by it');
    if (typeof jti === 'string') ids.add(asSeen(jti));
    if (typeof sha256 === 'string') {
      if (!DIGEST.test(sha256)) refuse('has a sha256 that is not 64 hexadecimal digits');
      digests.add(sha256.replaceAll(':', '').toLowerCase());
    }
    if (typeof subject === 'string')
      subjects.set(asSeen(subject), Math.max(time, subjects.get(asSeen(subject)) ?? 0));
  }
  return { ids, digests, subjects, isMarked };
}

/** @param subject whom the credential proves, where that is known */
export const revokedError = (subject?: Subject): SluiceError =>
  new SluiceError('token_revoked', {
    message: 'The credential has been revoked.',
    ...(subject === undefined ? {} : { subject }),
  });

/** The caller adds the file's name. */
const invalid = (faults: readonly Fault[]): SluiceError =>
  faultError(
    'config_invalid',
    faults.map(({ file: _, ...fault }) => fault),
  );

/** A date or time of RFC 3339, in milliseconds since 1970; NaN: it is none. */
export const momentOf = (text: string): number => (MOMENT.test(text) ? startOf(text) : Number.NaN);

function timeOf(moment: unknown): number {
  if (moment === undefined) return Number.POSITIVE_INFINITY;
  return typeof moment === 'string' ? momentOf(moment) : Number.NaN;
}
