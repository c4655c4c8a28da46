/** Names of the operations: in decision records (`action`), and in what a role may do by `sluice/admin`. */
export const READS = [
  'consents.get',
  'consents.history',
  'grants.list',
  'grants.show',
  'reviews.list',
  'subjects.list',
  'subjects.history',
  'keys.list',
  'erasure.list',
  'erasure.show',
  'quotas.get',
] as const;

export const CHANGES = [
  'consents.set',
  'consents.withdraw',
  'grants.request',
  'grants.approve',
  'grants.reject',
  'grants.revoke',
  'grants.break_glass',
  'reviews.close',
  'subjects.revoke',
  'subjects.restore',
  'keys.create',
  'keys.rotate',
  'keys.revoke',
  'erasure.request',
  'erasure.accept',
  'erasure.hold',
  'erasure.release',
  'erasure.confirm',
  'erasure.complete',
  'erasure.reject',
] as const;

export type OperationName = (typeof READS)[number] | (typeof CHANGES)[number];
