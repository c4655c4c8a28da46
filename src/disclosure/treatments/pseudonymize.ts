/**
 * `pseudonymize`: a name of our own for a value, by HMAC-SHA-256 (RFC 2104; the keyed function of ENISA's pseudonymisation advice).
 * The same for one recipient and purpose whichever field or answer it stands in, so that records can be joined; another for
 * another recipient or purpose, so that two recipients cannot join theirs. Not reversible. `{ scope }` keeps two kinds of values
 * apart; a new key means new pseudonyms.
 */
import { createHmac } from 'node:crypto';
import { plainly } from './masks/returned.ts';
import { onlyKnown, text } from './parameters.ts';
import { merged, orDrop } from './prepared.ts';
import type { Treatment } from './treatment.ts';

const PREFIX = 'ps_';
/** 128 bits: no collision is to be expected below 2^64 values */
const BYTES = 16;
/** in whatever text, since no other word looks so; a client may have changed its case */
const SHAPE = /(?<![A-Za-z0-9_-])ps_[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])/i;

export const pseudonymize: Treatment = {
  name: 'pseudonymize',
  prepare: (entry, choice, context) =>
    orDrop(() => {
      const parameters = merged(entry.pseudonymize, choice);
      onlyKnown(parameters, ['scope']);
      const scope = text(parameters, 'scope') ?? '';
      const secret = context.keys.secret('pseudonymize');
      const key = createHmac('sha256', secret.bytes)
        .update(JSON.stringify(['sluice/pseudonymize/1', context.recipient, context.purpose, scope]))
        .digest();
      return (value) => {
        if (value.kind === 'null') return { kind: 'null' };
        // a boolean has two pseudonyms, which anybody can tell apart by counting; ill-formed text collides in UTF-8
        if (value.kind === 'container' || value.kind === 'boolean' || !value.text.isWellFormed())
          return 'drop';
        if (value.text === '') return { kind: 'string', text: '' };
        const digest = createHmac('sha256', key).update(value.text).digest();
        return { kind: 'string', text: PREFIX + digest.subarray(0, BYTES).toString('base64url') };
      };
    }),
  recognise: () => (value) => value.kind === 'string' && SHAPE.test(plainly(value.text)),
};
