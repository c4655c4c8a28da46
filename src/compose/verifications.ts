/** The checks of proofs that a caller deals with a data subject, with the stages that they need. */
import type { Config } from '../config/index.ts';
import { createAssertionVerifier } from '../identity/index.ts';
import type { Database } from '../model/database.ts';
import type { Verifications } from '../model/verification.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { Upstreams } from '../upstream/upstream.ts';
import {
  createCodes,
  createVerifications,
  type Send,
  type VerificationDependencies,
} from '../verification/index.ts';
import type { CodeConfig } from '../verification/section.ts';
import { SluiceError } from '../errors.ts';
import type { Opened } from './opened.ts';

/** Lets an upstream send codes to data subjects. It gets the code and nothing of the request that it is for. */
export const codesThrough =
  (upstreams: Pick<Upstreams, 'send'>, { upstream, path }: Pick<CodeConfig, 'upstream' | 'path'>): Send =>
  async (message) => {
    const { status, body } = await upstreams.send(upstream, {
      method: 'POST',
      target: path,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: Buffer.from(JSON.stringify(message)),
    });
    body.discard();
    if (status < 200 || status >= 300)
      throw new SluiceError(
        'upstream_unreachable',
        `The upstream "${upstream}" answered with status ${status}.`,
      );
  };

/** @returns undefined: none is configured */
export function openVerifications(
  { verification }: Pick<Config, 'verification'>,
  deps: {
    readonly ask: VerificationDependencies['ask'];
    readonly store: Database;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly opened: Opened;
  },
): Verifications | undefined {
  if (verification === undefined) return undefined;
  const { ask, store, clock, logger, opened } = deps;
  const { assertion, code } = verification;
  const verifier =
    assertion === undefined ? null : opened.add(createAssertionVerifier(assertion, { clock, logger }));
  return createVerifications(verification, {
    ask,
    verifyAssertion: verifier?.verify ?? null,
    codes: code === undefined ? null : createCodes(store, code),
  });
}
