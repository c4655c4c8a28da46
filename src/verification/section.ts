/** Section `verification`: how it is proven that a caller deals with a data subject. */
import type { Report } from '../documents/faults.ts';
import {
  defaulted,
  duration,
  optional,
  path,
  pointer,
  secret,
  section,
  type Static,
  Type,
  url,
} from '../documents/kinds.ts';
import { didYouMean } from '../documents/near-name.ts';
import { patternFault } from '../documents/pattern.ts';

const name = (description: string) => Type.String({ minLength: 1, description });

const caseSchema = section(
  {
    upstream: name('the system that knows the cases'),
    path: Type.String({
      pattern: '^/[^?#{}]*\\{value\\}[^#{}]*$',
      description: 'path of a case, with `{value}` for its number, e.g. `/cases/{value}`',
    }),
    pattern: defaulted(
      Type.String({
        minLength: 1,
        description: 'RE2 pattern of a case number; the system is not asked for anything else',
      }),
      '[A-Za-z0-9][A-Za-z0-9._-]{0,63}',
    ),
    data_subject: pointer({ description: 'place of the data subject in the JSON of a case' }),
    caller: optional(
      pointer({
        description: 'place of the caller who handles the case; a case of another caller proves nothing',
      }),
    ),
    open: optional(
      section(
        {
          at: pointer({ description: 'place of the state of a case' }),
          in: Type.Array(Type.String({ minLength: 1 }), {
            minItems: 1,
            uniqueItems: true,
            description: 'states in which a case proves something',
          }),
        },
        { description: 'absent: a case in any state does' },
      ),
    ),
    cache: defaulted(
      duration({ min: '0s', max: '1h', description: 'how long a case that was found is remembered' }),
      '30s',
    ),
  },
  { description: 'a case number, checked with an upstream' },
);

const assertionSchema = section(
  {
    issuer: name('`iss` of the assertions; not an issuer of callers’ tokens'),
    audience: name('`aud` of the assertions'),
    algorithms: Type.Array(
      Type.Enum(['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512', 'EdDSA']),
      { minItems: 1, uniqueItems: true },
    ),
    jwks: section(
      { file: optional(path()), url: optional(url()) },
      { one_of: ['file', 'url'], description: 'the public keys: exactly one of `file`, `url`' },
    ),
    claims: defaulted(
      section({
        data_subject: defaulted(name('claim with the data subject'), 'sub'),
        caller: defaulted(
          name('claim with the caller who may use the assertion (`sub` of its token)'),
          'caller',
        ),
      }),
      {},
    ),
    max_age: defaulted(
      duration({
        min: '10s',
        max: '24h',
        description: 'since it was issued (`iat`), whatever its `exp` says',
      }),
      '15m',
    ),
  },
  {
    description: 'a signed assertion (JWT), e.g. of a telephone system that has identified the data subject',
  },
);

const codeSchema = section(
  {
    upstream: name('the system that sends a code to the data subject'),
    path: Type.String({
      pattern: '^/[^?#]*$',
      description: 'it gets a POST with data_subject, code and expires',
    }),
    secret: secret({ description: 'key of the digests under which codes are stored, 32 bytes or more' }),
    digits: defaulted(Type.Integer({ minimum: 6, maximum: 10, description: 'length of a code' }), 6),
    expires: defaulted(duration({ min: '1m', max: '1h', description: 'how long a code can be used' }), '10m'),
    lasts: defaulted(
      duration({
        min: '0s',
        max: '1h',
        description:
          'how long after its first use further requests of the same caller may bring it; 0s: one request',
      }),
      '0s',
    ),
    attempts: defaulted(
      Type.Integer({ minimum: 1, maximum: 20, description: 'wrong codes after which a code is void' }),
      5,
    ),
    per_data_subject: defaulted(
      Type.Integer({ minimum: 1, maximum: 100, description: 'codes that a data subject is sent in an hour' }),
      3,
    ),
    per_caller: defaulted(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'codes that a caller lets send in an hour' }),
      30,
    ),
  },
  { description: 'a one-time code that the data subject is sent and tells the caller' },
);

export const verificationSchema = section(
  {
    case: optional(caseSchema),
    assertion: optional(assertionSchema),
    code: optional(codeSchema),
    failures: defaulted(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description:
          'failed proofs of a caller in ten minutes (for each worker) after which further ones are not checked',
      }),
      20,
    ),
  },
  { description: 'proof that the caller deals with the data subject' },
);

export type VerificationConfig = Static<typeof verificationSchema>;
export type CaseConfig = Static<typeof caseSchema>;
export type AssertionConfig = Static<typeof assertionSchema>;
export type CodeConfig = Static<typeof codeSchema>;

/** @param upstreams their names */
export function checkVerification(
  config: VerificationConfig,
  upstreams: readonly string[],
  report: Report,
): void {
  for (const method of ['case', 'code'] as const) {
    const named = config[method]?.upstream;
    if (named !== undefined && !upstreams.includes(named))
      report(
        ['verification', method, 'upstream'],
        `no upstream named "${named}"${didYouMean(named, upstreams)}`,
      );
  }
  const fault = config.case === undefined ? null : patternFault(config.case.pattern);
  if (fault !== null) report(['verification', 'case', 'pattern'], fault);
  if (config.code !== undefined && Buffer.byteLength(config.code.secret) < 32)
    report(
      ['verification', 'code', 'secret'],
      'is shorter than 32 bytes: codes could be found from their digests',
    );
}
