/** Where consents are kept. */
import { type Static, Type } from 'typebox';
import { defaulted, duration, path, section } from '../kinds.ts';

export const consentSchema = section(
  {
    file: path({ description: 'consents.yaml; read again when it changes' }),
    poll: defaulted(
      duration({ min: '50ms', max: '1m', description: 'how often the file is looked at' }),
      '1s',
    ),
    stale_if_error: defaulted(
      duration({ min: '0s', max: '1d', description: 'how long the last good file serves after it broke' }),
      '0s',
    ),
    expose_dates: defaulted(Type.Boolean({ description: 'the policy sees `from` and `until`' }), false),
  },
  { description: 'what data subjects have agreed to' },
);

export type ConsentConfig = Static<typeof consentSchema>;
