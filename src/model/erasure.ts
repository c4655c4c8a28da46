/** Requests of data subjects: what they are for, and how far they are. The store, the commands and the admin API share these names. */
export const REQUEST_KINDS = ['erasure', 'restriction', 'access'] as const;
export type Kind = (typeof REQUEST_KINDS)[number];

/**
 * requested → in_progress (accepted) → completed, or partly (categories are held), or rejected. A restriction is in force while it is open:
 * completing it ends it. An erasure that was completed is lifted when the person is a customer again.
 */
export const REQUEST_STATES = [
  'requested',
  'in_progress',
  'completed',
  'partly',
  'rejected',
  'lifted',
] as const;
export type State = (typeof REQUEST_STATES)[number];
