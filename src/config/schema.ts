/** The sections of `sluice.yaml`, put together. A section that a stage owns has its schema there. */
import { type Static, Type } from 'typebox';
import { defaulted, optional, section } from './kinds.ts';
import { consentSchema } from './sections/consent.ts';
import { corsSchema } from './sections/cors.ts';
import { decisionLogSchema } from './sections/decision-log.ts';
import { identitySchema } from './sections/identity.ts';
import { keysSchema } from './sections/keys.ts';
import { limitsSchema, listenSchema } from './sections/listen.ts';
import { policySchema } from './sections/policy.ts';
import { insecureSchema, observabilitySchema, workersSchema } from './sections/process.ts';
import { purposeSchema } from './sections/purpose.ts';
import { routesSchema } from './sections/routes.ts';
import { upstreamsSchema } from './sections/upstreams.ts';

export const configSchema = section({
  version: Type.Literal(1),
  workers: defaulted(workersSchema, 1),
  listen: defaulted(listenSchema, {}),
  cors: optional(corsSchema),
  upstreams: upstreamsSchema,
  identity: identitySchema,
  policy: policySchema,
  consent: consentSchema,
  decision_log: defaulted(decisionLogSchema, {}),
  purpose: defaulted(purposeSchema, {}),
  routes: routesSchema,
  limits: defaulted(limitsSchema, {}),
  keys: defaulted(keysSchema, {}),
  observability: defaulted(observabilitySchema, {}),
  insecure: defaulted(insecureSchema, {}),
});

export type Config = Static<typeof configSchema>;
