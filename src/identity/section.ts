/** Section `identity`: how callers authenticate, and which claims of a credential describe them. */
import type { Path, Report } from '../documents/faults.ts';
import { ASYMMETRIC_ALGORITHMS } from '../model/algorithms.ts';
import { startOf } from '../model/moment.ts';
import { LOCAL_REALM, REALM_PATTERN } from '../model/realm.ts';
import { holdsUnseen } from '../model/spelling.ts';
import {
  defaulted,
  duration,
  oneOrMore,
  optional,
  path,
  section,
  size,
  type Static,
  table,
  text,
  Type,
  url,
} from '../documents/kinds.ts';

/** Asymmetric only: with a shared secret, a verifier of tokens could also issue them. `Ed25519` is a newer name of one kind of EdDSA (RFC 9864). */
const TOKEN_ALGORITHMS = [...ASYMMETRIC_ALGORITHMS, 'Ed25519'];

const claim = Type.String({
  minLength: 1,
  description:
    'name of a claim, a dotted path (`realm_access.roles`) or a JSON Pointer (`/realm_access/roles`)',
});

const name = (description: string) => Type.String({ minLength: 1, maxLength: 256, description });

/** The subject of a credential that carries no claims. */
const subjectSchema = section({
  agent: optional(
    name(
      'the credential belongs to this agent, which acts for the subject; named in its realm as the subject is',
    ),
  ),
  type: defaulted(name('`service`, `partner`, `user`'), 'service'),
  id: name('name of the subject; `local:<id>` in decision records and grants where issuers have realms'),
  roles: defaulted(Type.Array(name('a role'), { uniqueItems: true }), []),
  department: optional(name('department')),
  organization: name('`internal`, or the partner it belongs to'),
  clearance: optional(Type.Integer({ minimum: 1, maximum: 5 })),
  purpose: optional(name('purpose if the request names none')),
});

const claimsSchema = section({
  subject: defaulted(claim, 'sub'),
  type: optional(claim),
  roles: defaulted(claim, 'roles'),
  department: optional(claim),
  organization: optional(claim),
  clearance: optional(claim),
  amr: defaulted(claim, 'amr'),
  acr: defaulted(claim, 'acr'),
  auth_time: defaulted(claim, 'auth_time'),
  properties: defaulted(
    table(claim, {
      key: '^[a-z][a-z0-9_]*$',
      description: 'further properties of the subject for the policy: property → claim',
    }),
    {},
  ),
});

const agentsSchema = section({
  actor: defaulted(claim, 'act'),
  client: defaulted(oneOrMore(claim), ['azp', 'client_id']),
  clients: defaulted(
    Type.Array(name('a client'), {
      uniqueItems: true,
      description:
        'OAuth clients that are agents: a token that was issued to one of them and names no actor is used by that agent',
    }),
    [],
  ),
  roles: optional(
    Type.String({ minLength: 1, description: 'claim inside the actor with roles of the agent' }),
  ),
});

const jwksSchema = section(
  {
    file: optional(path()),
    url: optional(url()),
    keys: optional(Type.Array(Type.Object({ kty: Type.String() }), { minItems: 1, maxItems: 100 })),
    cooldown: defaulted(
      duration({
        min: '1s',
        max: '1h',
        description: 'shortest time between two fetches that an unknown key id causes',
      }),
      '30s',
    ),
    max_age: defaulted(
      duration({
        min: '10s',
        max: '7d',
        description: 'keys are fetched again when they are older than this',
      }),
      '10m',
    ),
    stale_if_error: defaulted(
      duration({
        min: '0s',
        max: '7d',
        description: 'how long keys older than `max_age` stay valid while fetching fails',
      }),
      '0s',
    ),
    timeout: defaulted(duration({ min: '100ms', max: '1m' }), '5s'),
  },
  {
    one_of: ['file', 'url', 'keys'],
    description: 'where the public keys come from: exactly one of `file`, `url`, `keys`',
  },
);

const issuerSchema = section({
  issuer: text({ description: 'exact value of the `iss` claim' }),
  audience: oneOrMore(text(), {
    description: 'accepted values of the `aud` claim; of resource indicators (RFC 8707) each resource',
  }),
  jwks: jwksSchema,
  algorithms: Type.Array(Type.Enum(TOKEN_ALGORITHMS), { minItems: 1, uniqueItems: true }),
  claims: defaulted(claimsSchema, {}),
  agents: defaulted(agentsSchema, {}),
  required_claims: defaulted(Type.Array(claim, { uniqueItems: true }), []),
  typ: optional(
    Type.String({
      minLength: 1,
      description: 'required `typ` of the token header, e.g. `at+jwt` (RFC 9068)',
    }),
  ),
  max_token_age: optional(
    duration({ min: '1s', max: '365d', description: 'maximum age of a token, counted from `iat`' }),
  ),
  clock_tolerance: defaulted(duration({ min: '0s', max: '5m' }), '10s'),
  subject_type: defaulted(name('type of the subjects of this issuer'), 'user'),
  realm: optional(
    Type.String({
      pattern: REALM_PATTERN,
      description:
        'its subjects are named `<realm>:<sub>`; issuers of one realm, or without one, name the same people. Set it where two issuers may give one id to two people',
    }),
  ),
  organization: optional(name('organization of its subjects if no claim names one')),
  purpose: optional(name('purpose if neither the request, the token nor the route names one')),
});

export const identitySchema = section(
  {
    issuers: defaulted(Type.Array(issuerSchema), []),
    api_keys: defaulted(
      Type.Array(
        section({
          id: name('name of the key in logs'),
          sha256: Type.String({
            pattern: '^[0-9a-f]{64}$',
            description: 'SHA-256 of the key, hexadecimal; keep the key itself elsewhere',
          }),
          expires: optional(Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}:\\d{2}Z)?$' })),
          subject: subjectSchema,
        }),
      ),
      [],
    ),
    api_key_header: defaulted(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), 'X-Api-Key'),
    api_keys_in_store: defaulted(
      Type.Boolean({
        description:
          'also the keys that `sluice keys create` writes into `store` are known; if the store cannot be asked, they are refused',
      }),
      false,
    ),
    certificates: defaulted(
      Type.Array(
        section(
          {
            fingerprint: optional(
              Type.String({
                pattern: '^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$',
                description: 'SHA-256 fingerprint of the certificate',
              }),
            ),
            dns: optional(Type.String({ minLength: 1, description: 'a DNS subject alternative name' })),
            uri: optional(
              Type.String({ minLength: 1, description: 'a URI subject alternative name (SPIFFE)' }),
            ),
            subject_name: optional(
              table(Type.String({ minLength: 1 }), {
                key: '^[A-Za-z]+$',
                description: "attributes of the certificate's subject, e.g. `{ O: Example, CN: erp }`",
              }),
            ),
            subject: subjectSchema,
          },
          { one_of: ['fingerprint', 'dns', 'uri', 'subject_name'] },
        ),
      ),
      [],
    ),
    revocations: optional(
      path({ description: 'YAML file with revoked tokens and subjects; read again when it changes' }),
    ),
    revocations_in_store: defaulted(
      Type.Boolean({
        description:
          'also what `sluice subject revoke` writes into `store` is revoked; if the store cannot be asked, nobody is let in',
      }),
      false,
    ),
    security_events: defaulted(
      Type.Array(
        section({
          issuer: text({ description: 'exact value of the `iss` claim: the transmitter' }),
          audience: oneOrMore(text(), { description: 'accepted values of the `aud` claim' }),
          jwks: jwksSchema,
          algorithms: Type.Array(Type.Enum(TOKEN_ALGORITHMS), { minItems: 1, uniqueItems: true }),
          subjects_of: defaulted(
            Type.Array(text(), {
              uniqueItems: true,
              description:
                'issuers (of `identity.issuers`) of whose subjects it may speak; the first is meant where an event names none; default: its own',
            }),
            [],
          ),
        }),
        {
          description:
            'whose Security Event Tokens (OpenID CAEP, RISC) take access away: `POST /v1/security-events` on the admin listener',
        },
      ),
      [],
    ),
    token_bytes: defaulted(size({ min: '256B', max: '64KiB' }), '8KiB'),
    remembered: defaulted(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        description: 'maximum number of verified tokens in the cache',
      }),
      10_000,
    ),
  },
  { description: 'how callers are authenticated' },
);

export type IdentityConfig = Static<typeof identitySchema>;
export type IssuerConfig = Static<typeof issuerSchema>;
export type SecurityEventsConfig = IdentityConfig['security_events'];
export type SubjectConfig = Static<typeof subjectSchema>;

export const takesApiKeys = ({
  api_keys,
  api_keys_in_store,
}: Pick<IdentityConfig, 'api_keys' | 'api_keys_in_store'>): boolean =>
  api_keys.length > 0 || api_keys_in_store;

/** Every realm that is in use; none: names of callers are as they come. */
export const realmsIn = ({ issuers }: Pick<IdentityConfig, 'issuers'>): readonly string[] => {
  const realms = issuers.flatMap(({ realm }) => (realm === undefined ? [] : [realm]));
  return realms.length === 0 ? [] : [...new Set([...realms, LOCAL_REALM])];
};

/** The realms of all callers; null: somebody is in none, so that a name needs none. */
export const realmsOf = (identity: Pick<IdentityConfig, 'issuers'>): readonly string[] | null => {
  const realms = realmsIn(identity);
  return realms.length === 0 || identity.issuers.some(({ realm }) => realm === undefined) ? null : realms;
};

/** @param report paths start at `identity` */
export function checkIdentity(identity: IdentityConfig, report: Report): void {
  const { issuers, api_keys, certificates, security_events } = identity;
  checkSpelling(identity, ['identity'], report);
  if (issuers.length + certificates.length === 0 && !takesApiKeys(identity))
    report(['identity'], 'names no issuer, API key or certificate: nobody could ever be let in');
  for (const [i, { issuer, jwks, realm }] of issuers.entries()) {
    if (issuers.findIndex((other) => other.issuer === issuer) < i)
      report(['identity', 'issuers', i, 'issuer'], 'is there twice');
    if (realm === LOCAL_REALM)
      report(
        ['identity', 'issuers', i, 'realm'],
        'is the realm of API keys and certificates: choose another',
      );
    for (const [k, key] of (jwks.keys ?? []).entries())
      if ('d' in key || key.kty === 'oct')
        report(
          ['identity', 'issuers', i, 'jwks', 'keys', k],
          'is a private or shared key; only public keys belong here',
        );
  }
  for (const [i, { issuer, subjects_of }] of security_events.entries()) {
    if (!identity.revocations_in_store)
      report(
        ['identity', 'security_events', i],
        'needs identity.revocations_in_store: true, where they take effect',
      );
    if (security_events.findIndex((other) => other.issuer === issuer) < i)
      report(['identity', 'security_events', i, 'issuer'], 'is there twice');
    for (const [k, name] of (subjects_of.length > 0 ? subjects_of : [issuer]).entries())
      if (!issuers.some((known) => known.issuer === name))
        report(
          ['identity', 'security_events', i, ...(subjects_of.length > 0 ? ['subjects_of', k] : ['issuer'])],
          'is no issuer of identity.issuers: its events would take no access away (subjects_of)',
        );
  }
  for (const [i, key] of api_keys.entries()) {
    if (api_keys.findIndex((other) => other.sha256 === key.sha256 || other.id === key.id) < i)
      report(['identity', 'api_keys', i], 'has the id or the digest of another key');
    if (key.expires !== undefined && Number.isNaN(startOf(key.expires)))
      report(['identity', 'api_keys', i, 'expires'], 'is no date or time of the calendar');
  }
}

/** A name with invisible characters matches nothing, and a revocation by it has no effect. */
function checkSpelling(value: unknown, path: Path, report: Report): void {
  if (typeof value === 'string' && holdsUnseen(value))
    report(path, 'has a blank around it or an invisible character in it: nothing would be found by it');
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (holdsUnseen(key)) report(at, 'its name has a blank around it or an invisible character in it');
    checkSpelling(member, at, report);
  }
}
