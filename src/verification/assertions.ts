/** A signed assertion: its issuer has identified the data subject, and says which caller deals with it. */
import { isSluiceError, SluiceError } from '../errors.ts';
import { EXPIRED, FAILED, type Finding } from './finding.ts';
import type { AssertionConfig } from './section.ts';

/** @throws SluiceError `token_*`, `keys_unavailable` */
export type VerifyAssertion = (assertion: string) => Promise<Readonly<Record<string, unknown>>>;

const LONGEST = 8192;

/** @returns a function that throws SluiceError `verification_unavailable` */
export function createAssertions(
  { claims: names }: AssertionConfig,
  verify: VerifyAssertion,
): (assertion: string, caller: string) => Promise<Finding> {
  return async (assertion, caller) => {
    if (assertion.length > LONGEST) return FAILED;
    let claims: Awaited<ReturnType<VerifyAssertion>>;
    try {
      claims = await verify(assertion);
    } catch (cause) {
      if (isSluiceError(cause, 'keys_unavailable'))
        throw new SluiceError('verification_unavailable', {
          message:
            'Assertions cannot be checked now: the keys of their issuer cannot be used (verification.assertion).',
          cause,
        });
      // Whoever has an assertion that has expired has been told about its data subject before.
      if (isSluiceError(cause, 'token_expired')) return EXPIRED;
      if (isSluiceError(cause)) return FAILED;
      throw cause;
    }
    const data_subject = textOf(claims, names.data_subject);
    return data_subject === null || textOf(claims, names.caller) !== caller ? FAILED : { data_subject };
  };
}

function textOf(claims: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = Object.hasOwn(claims, name) ? claims[name] : null;
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}
