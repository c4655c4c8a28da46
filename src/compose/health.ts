/**
 * What `/readyz` checks. A check that is not ok makes the sidecar `not ready`. A degraded check keeps it in service: it still answers
 * correctly, and an operator must look at it.
 */
import type { Check } from '../endpoints/admin/admin.ts';
import type { Parts } from './build.ts';

export const checksOf = ({
  policy,
  log,
  store,
  channel,
  quotas,
  consents,
  identity,
  upstreams,
}: Parts): readonly Check[] => [
  {
    name: 'policy',
    run: async () => {
      const detail = policy.status();
      // After a failed reload the last good policy goes on serving.
      return { ok: detail.ok, degraded: (detail.error ?? detail.unavailable) !== null, detail };
    },
  },
  {
    name: 'journal',
    run: async () => {
      const status = log.status();
      return { ...status, degraded: Object.values(status.copies).some(({ stopped }) => stopped === true) };
    },
  },
  { name: 'consent', run: () => consents.ready() },
  { name: 'store', run: () => store.ready() },
  ...(channel === null
    ? []
    : [
        {
          name: 'announcements',
          run: async () => {
            const { ok, detail } = await channel.ready();
            return ok ? { ok } : { ok: true, degraded: true, detail };
          },
        },
      ]),
  { name: 'quotas', run: () => quotas.ready() },
  { name: 'identity', run: () => identity.ready() },
  {
    name: 'upstreams',
    run: async () => {
      const detail = await upstreams.reachable();
      return { ok: detail.every((u) => u.ok), detail };
    },
  },
];
