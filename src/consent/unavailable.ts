import { SluiceError } from '../errors.ts';

/** For the caller: the reason is in the log. */
export const unavailable = (cause?: unknown): SluiceError =>
  new SluiceError('consent_unavailable', {
    message:
      'The consents cannot be read, so that nobody can be taken to have consented. The log has the reason.',
    cause,
  });
