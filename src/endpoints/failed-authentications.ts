/**
 * Failed authentications on the admin listener, for each address. Every credential is checked, whatever its address did before: so nobody is locked out by
 * somebody else behind the same address, and a guess is no better than before (keys have 256 bits, tokens a signature). What is limited is what failures
 * cost: beyond the limit one record tells of all that follow in the minute.
 */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { FailureLimit } from '../pipeline/handle.ts';
import { statusOf } from './problems.ts';
import { networkOf, Rate } from './rate.ts';

const MINUTE = 60_000;
const MOST = 30;

/** @param elapsed milliseconds of a clock that nobody sets */
export function limitFailures(elapsed: () => number): FailureLimit {
  const failures = new Rate(MOST, MINUTE, elapsed);
  const told = new Rate(1, MINUTE, elapsed);
  return (error, { subject, request }) => {
    if (!isSluiceError(error) || statusOf(error.code) >= 500) return null;
    // Nobody was authenticated; or somebody is known, and their credential is revoked.
    if (subject !== null && error.code !== 'token_revoked') return null;
    const peer = networkOf(request?.client_ip ?? '');
    const seconds = failures.take(peer);
    if (seconds === null) return null;
    return {
      error: new SluiceError('authentication_limited', {
        message: `More than ${MOST} calls from this address had no valid credential in the last minute. A call with a valid one is answered.`,
        headers: { 'retry-after': String(seconds) },
        cause: error,
      }),
      isRecorded: told.take(peer) === null,
    };
  };
}
