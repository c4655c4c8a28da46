/** Section `quotas`: where the quotas of the policy (`data/quotas.yaml`) are counted. */
import {
  defaulted,
  duration,
  oneOrMore,
  optional,
  secret,
  section,
  type Static,
  text,
  Type,
} from '../documents/kinds.ts';

export const quotasSchema = section(
  {
    redis: optional(
      oneOrMore(secret(), {
        description:
          'URL of a Redis that several sidecars share: `redis://` or, with TLS, `rediss://`. A list: nodes of a Redis Cluster; one that answers is enough to find the others. Absent: each process counts for itself, from nothing after a restart; then `workers` must be 1',
      }),
    ),
    prefix: defaulted(text({ description: 'of all keys in Redis' }), 'sluice:quota'),
    timeout: defaulted(
      duration({
        min: '10ms',
        max: '30s',
        description: 'in which Redis must answer; else 503 `quota_unavailable`',
      }),
      '1s',
    ),
    reservation: defaulted(
      duration({
        min: '1s',
        max: '1d',
        description:
          'after which a reservation that was not settled is given back; longer than any answer takes',
      }),
      '10m',
    ),
    exact: defaulted(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        description:
          'distinct data subjects that a counter holds exactly; beyond, it estimates with a standard error of 0.81 % (HyperLogLog)',
      }),
      10_000,
    ),
  },
  { description: 'where the quotas of the policy (`data/quotas.yaml`) are counted' },
);

export type QuotasConfig = Static<typeof quotasSchema>;
