/** Operations of administration: `action` of their decision records, and what `sluice/admin` permits. */
const READS = [
  'consents.get',
  'consents.history',
  'decisions.export',
  'decisions.query',
  'decisions.view',
  'erasure.list',
  'erasure.show',
  'grants.list',
  'grants.show',
  'keys.list',
  'notices.list',
  'quotas.get',
  'reviews.list',
  'shares.demands',
  'shares.list',
  'subjects.history',
  'subjects.list',
] as const;

export const CHANGES = [
  'consents.set',
  'consents.withdraw',
  'erasure.accept',
  'erasure.complete',
  'erasure.confirm',
  'erasure.hold',
  'erasure.lift',
  'erasure.reject',
  'erasure.release',
  'erasure.request',
  'grants.approve',
  'grants.break_glass',
  'grants.reject',
  'grants.request',
  'grants.revoke',
  'keys.create',
  'keys.revoke',
  'keys.rotate',
  'links.create',
  'links.revoke',
  'notices.acknowledge',
  'notices.retry',
  'reviews.close',
  'shares.confirm',
  'shares.demand',
  'subjects.restore',
  'subjects.revoke',
  'verification.send',
] as const;

export type OperationName = (typeof READS)[number] | (typeof CHANGES)[number];

export const OPERATIONS: readonly OperationName[] = [...READS, ...CHANGES];

export const isChange = (name: OperationName): boolean => (CHANGES as readonly string[]).includes(name);
