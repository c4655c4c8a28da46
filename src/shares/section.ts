/** Section `shares`: how long recipients may keep what they received. */
import { defaulted, duration, section, type Static } from '../documents/kinds.ts';

export const sharesSchema = section(
  {
    expires: defaulted(
      duration({
        min: '1d',
        max: '3650d',
        description: 'after it a recipient is asked to confirm that it has destroyed or archived the data',
      }),
      '30d',
    ),
    confirm_within: defaulted(
      duration({ min: '1h', max: '365d', description: 'after it a missing confirmation is overdue' }),
      '14d',
    ),
  },
  {
    description:
      'which recipients outside have received data of whom, until when; absent: only the decision log has it',
  },
);

export type SharesConfig = Static<typeof sharesSchema>;
