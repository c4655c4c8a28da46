/** Every operation of the admin API. */
import { ACCESS_REQUESTS } from './access-requests.ts';
import { CONSENTS } from './consents.ts';
import { GRANTS } from './grants.ts';
import { KEYS } from './keys.ts';
import type { Operation } from './operation.ts';
import { QUOTAS } from './quotas.ts';
import { REVIEWS } from './reviews.ts';
import { SUBJECTS } from './subjects.ts';

export const ADMIN_OPERATIONS: readonly Operation[] = [
  ...CONSENTS,
  ...GRANTS,
  ...ACCESS_REQUESTS,
  ...REVIEWS,
  ...SUBJECTS,
  ...KEYS,
  ...QUOTAS,
];
