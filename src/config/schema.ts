/** The sections of `sluice.yaml`, put together. A section that a stage owns has its schema there. */
import { defaulted, optional, section, type Static, Type } from '../documents/kinds.ts';
import { adminSchema } from '../endpoints/admin/section.ts';
import { consentSchema } from '../consent/section.ts';
import { corsSchema } from '../endpoints/proxy/section.ts';
import { decisionLogSchema } from '../decision-log/section.ts';
import { erasureSchema } from '../erasure/section.ts';
import { grantsSchema } from '../grants/section.ts';
import { identitySchema } from '../identity/section.ts';
import { keysSchema, RESPONSE_FORMATS } from '../disclosure/section.ts';
import { dataSubjectPageSchema } from '../links/section.ts';
import { mcpSchema } from '../endpoints/mcp/section.ts';
import { protectedResourceSchema } from '../endpoints/oauth/section.ts';
import { limitsSchema, listenSchema } from '../endpoints/section.ts';
import { policySchema } from '../policy/section.ts';
import { observabilitySchema, tracingSchema } from '../observability/section.ts';
import { reviewsSchema } from '../reviews/section.ts';
import { noticesSchema } from '../notices/section.ts';
import { sharesSchema } from '../shares/section.ts';
import { quotasSchema } from '../quotas/section.ts';
import { signingSchema } from '../signing/section.ts';
import { storeSchema } from '../store/section.ts';
import { insecureSchema, workersSchema } from './section.ts';
import { verificationSchema } from '../verification/section.ts';
import { purposeSchema, routesSchema } from '../routing/section.ts';
import { upstreamsSchema } from '../upstream/section.ts';

export const configSchema = section({
  version: Type.Literal(1),
  workers: defaulted(workersSchema, 1),
  listen: defaulted(listenSchema, {}),
  cors: optional(corsSchema),
  upstreams: upstreamsSchema,
  identity: identitySchema,
  policy: policySchema,
  store: defaulted(storeSchema, { sqlite: './data/store.db' }),
  reviews: defaulted(reviewsSchema, {}),
  grants: optional(grantsSchema),
  erasure: optional(erasureSchema),
  verification: optional(verificationSchema),
  data_subject_page: optional(dataSubjectPageSchema),
  quotas: defaulted(quotasSchema, {}),
  admin: defaulted(adminSchema, {}),
  shares: optional(sharesSchema),
  notices: optional(noticesSchema),
  consent: consentSchema,
  decision_log: defaulted(decisionLogSchema, {}),
  purpose: defaulted(purposeSchema, {}),
  routes: defaulted(routesSchema(RESPONSE_FORMATS), []),
  mcp: optional(mcpSchema),
  protected_resource: optional(protectedResourceSchema),
  limits: defaulted(limitsSchema, {}),
  keys: defaulted(keysSchema, {}),
  signing: defaulted(signingSchema, {}),
  observability: defaulted(observabilitySchema, {}),
  tracing: optional(tracingSchema),
  insecure: defaulted(insecureSchema, {}),
});

export type Config = Static<typeof configSchema>;
