/**
 * `pseudonymize`: replaces a value by a keyed digest, HMAC-SHA-256 (RFC 2104; recommended by ENISA for pseudonymisation). It is the same for one
 * recipient and purpose in every field and answer, so that records can be joined, and differs between recipients and purposes, so that two
 * recipients cannot join their records. Not reversible. `{ scope }` separates kinds of values; a new key gives new pseudonyms.
 */
import { createHmac } from 'node:crypto';
import { plainly } from './masks/returned.ts';
import { onlyKnown, text } from './parameters.ts';
import { merged, orDrop } from './prepared.ts';
import type { Treatment } from './treatment.ts';

const PREFIX = 'ps_';
/** 128 bits: no collision is expected below 2^64 values */
const BYTES = 16;
/** within any text, since no other word has this form; a client may have changed the case */
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
        // the two pseudonyms of a boolean could be identified by frequency; ill-formed texts collide in UTF-8
        if (value.kind === 'container' || value.kind === 'boolean' || !value.text.isWellFormed())
          return 'drop';
        if (value.text === '') return { kind: 'string', text: '' };
        const digest = createHmac('sha256', key).update(value.text).digest();
        return { kind: 'string', text: PREFIX + digest.subarray(0, BYTES).toString('base64url') };
      };
    }),
  recognise: () => (value) => value.kind === 'string' && SHAPE.test(plainly(value.text)),
};
