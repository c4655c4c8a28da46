/** Section `admin`: the admin API. */
import { defaulted, duration, section } from '../../documents/kinds.ts';

export const adminSchema = section(
  {
    idempotency: defaulted(
      duration({
        min: '2m',
        max: '30d',
        description: 'how long the answer to a call with an Idempotency-Key is kept for a repetition',
      }),
      '24h',
    ),
  },
  { description: 'the admin API, on the admin listener' },
);
