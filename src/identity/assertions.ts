/** Signed assertions about others than their bearer (`verification.assertion`): verified as tokens are, and good as no credential. */
import { createKeySet, type KeyDependencies } from './keys.ts';
import type { IssuerConfig } from './section.ts';
import { verifyToken } from './tokens.ts';

export interface AssertionIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly jwks: { readonly file?: string; readonly url?: string };
  readonly claims: { readonly data_subject: string };
  /** milliseconds */
  readonly max_age: number;
}

export interface AssertionVerifier {
  /** @throws SluiceError `token_*`, `keys_unavailable` */
  readonly verify: (assertion: string) => Promise<Readonly<Record<string, unknown>>>;
  close(): void;
}

/** @throws SluiceError `config_invalid` for a key file that cannot be used */
export function createAssertionVerifier(of: AssertionIssuer, deps: KeyDependencies): AssertionVerifier {
  const config: IssuerConfig = {
    issuer: of.issuer,
    audience: [of.audience],
    algorithms: of.algorithms as IssuerConfig['algorithms'],
    jwks: { ...of.jwks, cooldown: 30_000, max_age: 600_000, stale_if_error: 0, timeout: 5_000 },
    agents: { actor: 'act', client: [], clients: [] },
    claims: {
      subject: of.claims.data_subject,
      roles: 'roles',
      amr: 'amr',
      acr: 'acr',
      auth_time: 'auth_time',
      properties: {},
    },
    required_claims: ['iat'],
    max_token_age: of.max_age,
    clock_tolerance: 10_000,
    subject_type: 'user',
    organization: 'none',
  };
  const keys = createKeySet(of.issuer, config.jwks, deps);
  const issuers = new Map([[of.issuer, { config, keys, realms: [] }]]);
  return {
    verify: async (assertion) => (await verifyToken(assertion, issuers, deps.clock)).authenticated.claims,
    close: () => keys.close(),
  };
}
