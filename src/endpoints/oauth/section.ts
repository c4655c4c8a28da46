/** Section `protected_resource`: what OAuth clients are told of the proxy listener. */
import { isLoopback } from '../../model/loopback.ts';
import type { Report } from '../../documents/faults.ts';
import {
  defaulted,
  duration,
  optional,
  section,
  type Static,
  table,
  Type,
  url,
} from '../../documents/kinds.ts';

const word = (description: string) =>
  // RFC 6749 §3.3 scope-token; the value is written between quotation marks.
  Type.String({ pattern: '^[\\x21\\x23-\\x5b\\x5d-\\x7e]+$', maxLength: 256, description });

const stepUpSchema = section({
  acr_values: optional(
    Type.Array(word('an authentication context of the authorization server'), {
      minItems: 1,
      maxItems: 20,
      uniqueItems: true,
      description: 'authentication contexts that lift the denial, the preferred one first',
    }),
  ),
  max_age: optional(
    duration({ min: '0s', max: '30d', description: 'how long ago the person may have authenticated' }),
  ),
});

export const protectedResourceSchema = section(
  {
    url: url({
      description:
        'of the proxy listener, as callers reach it: scheme, host and port alone (`https://crm.example.com`). `https`, or `http` on a loopback address',
    }),
    scopes: optional(
      Type.Array(word('a scope'), {
        minItems: 1,
        maxItems: 100,
        uniqueItems: true,
        description: 'scopes that clients may ask for (`scopes_supported`)',
      }),
    ),
    step_up: defaulted(
      table(stepUpSchema, {
        key: '^.{1,256}$',
        description:
          'what clients are told for a `step_up` of the policy; one that is not here is itself the value of `acr_values`',
      }),
      {},
    ),
  },
  {
    description:
      'the proxy listener as a protected resource of OAuth 2.0: metadata (RFC 9728), and what a 401 tells clients',
  },
);

export type ProtectedResourceConfig = Static<typeof protectedResourceSchema>;

/** @param issuers names of all issuers */
export function checkProtectedResource(
  config: ProtectedResourceConfig,
  issuers: readonly string[],
  report: Report,
): void {
  const parsed = URL.parse(config.url);
  if (parsed !== null && config.url !== parsed.origin)
    report(['protected_resource', 'url'], `is not an origin: write ${parsed.origin}`);
  if (parsed?.protocol === 'http:' && !isLoopback(parsed.hostname))
    report(['protected_resource', 'url'], 'must begin with https:// (RFC 9728 §1.2)');
  if (authorizationServers(issuers).length === 0)
    report(
      ['protected_resource'],
      'needs an issuer whose name is a URL (identity.issuers): clients get tokens from there',
    );
  for (const [name, { acr_values, max_age }] of Object.entries(config.step_up))
    if (acr_values === undefined && max_age === undefined)
      report(['protected_resource', 'step_up', name], 'says nothing: add acr_values or max_age');
}

/** Issuers that can be an authorization server: clients look their metadata up at the URL (RFC 8414). */
export const authorizationServers = (issuers: readonly string[]): string[] =>
  issuers.filter((issuer) => /^https?:$/.test(URL.parse(issuer)?.protocol ?? ''));
