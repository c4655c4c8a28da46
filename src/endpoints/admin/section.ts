/** Section `admin`: the admin API. */
import { defaulted, duration, optional, section, Type, url } from '../../documents/kinds.ts';
import { REALM_PATTERN } from '../../model/realm.ts';

export const adminSchema = section(
  {
    url: optional(
      url({
        description:
          'of the admin listener, as callers reach it: denials that a grant could lift then say how it is requested. Needs the section grants',
      }),
    ),
    access_requests: defaulted(
      duration({ min: '1m', max: '24h', description: 'how long a denial can be answered with a request' }),
      '15m',
    ),
    idempotency: defaulted(
      duration({
        min: '2m',
        max: '30d',
        description: 'how long the answer to a call with an Idempotency-Key is kept for a repetition',
      }),
      '24h',
    ),
    scim: optional(
      section(
        {
          subject: defaulted(
            Type.Unsafe<'userName' | 'externalId'>(
              Type.Enum(['userName', 'externalId'], {
                description: 'the attribute of a user that is `subject.id` of their credentials',
              }),
            ),
            'userName',
          ),
          realm: optional(
            Type.String({
              pattern: REALM_PATTERN,
              description: 'of its users (identity.issuers[].realm); needed where issuers have realms',
            }),
          ),
        },
        {
          description:
            'SCIM 2.0 at /scim/v2: an identity provider that deactivates a user takes their access away; absent: there is none',
        },
      ),
    ),
  },
  { description: 'the admin API, on the admin listener' },
);
