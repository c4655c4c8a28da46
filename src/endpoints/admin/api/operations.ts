/** Every operation of the admin API. */
import { ACCESS_REQUESTS } from './access-requests.ts';
import { CONSENTS } from './consents.ts';
import { DECISIONS } from './decisions.ts';
import { ERASURE } from './erasure.ts';
import { GRANTS } from './grants.ts';
import { KEYS } from './keys.ts';
import { LINKS } from './links.ts';
import type { Operation } from './operation.ts';
import { QUOTAS } from './quotas.ts';
import { RECIPIENTS } from './recipients.ts';
import { REVIEWS } from './reviews.ts';
import { SUBJECTS } from './subjects.ts';
import { VERIFICATION } from './verification.ts';

export const ADMIN_OPERATIONS: readonly Operation[] = [
  ...CONSENTS,
  ...GRANTS,
  ...ACCESS_REQUESTS,
  ...REVIEWS,
  ...SUBJECTS,
  ...KEYS,
  ...DECISIONS,
  ...QUOTAS,
  ...ERASURE,
  ...RECIPIENTS,
  ...LINKS,
  ...VERIFICATION,
];
