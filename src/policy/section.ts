/** Schema of the `policy` section: the source of the policy, its signatures and approvals, and its limits. */
import type { Report } from '../documents/faults.ts';
import { headerFault } from '../documents/secrets.ts';
import { APPROVAL_ALGORITHMS, SIGNING_ALGORITHMS, type SigningAlgorithm } from './settings.ts';
import {
  defaulted,
  duration,
  optional,
  path,
  secret,
  section,
  size,
  type Static,
  table,
  Type,
  url,
} from '../documents/kinds.ts';

const bounded = (minimum: number, maximum: number, value: number, description: string) =>
  defaulted(Type.Integer({ minimum, maximum, description }), value);

const limitsSchema = section({
  evaluation_ms: bounded(
    5,
    10_000,
    100,
    'maximum duration of an evaluation, in milliseconds on a machine of 2020',
  ),
  memory_mb: bounded(4, 4096, 256, 'maximum memory of one evaluation, data included'),
  input_bytes: defaulted(
    size({ min: '1KiB', max: '64MiB', description: 'maximum size of the input' }),
    '4MiB',
  ),
  bundle_bytes: defaulted(
    size({ min: '64KiB', max: '1GiB', description: 'maximum size of a bundle as it is received' }),
    '64MiB',
  ),
  expanded_bytes: defaulted(
    size({ min: '64KiB', max: '4GiB', description: 'maximum size of a bundle after decompression' }),
    '256MiB',
  ),
  ratio: bounded(10, 10_000, 200, 'maximum ratio of decompressed to compressed size'),
});

const cacheSchema = section({
  entries: bounded(0, 1_000_000, 20_000, 'maximum number of cached answers for each entrypoint; 0: no cache'),
  bytes: defaulted(
    size({ min: '64KiB', max: '1GiB', description: 'maximum size of the cached keys and answers' }),
    '32MiB',
  ),
  time_step_ms: bounded(1, 3_600_000, 1000, 'the time that a policy sees is rounded to steps of this length'),
});

const signingSchema = section({
  keys: table(
    section({
      algorithm: Type.Unsafe<SigningAlgorithm>(Type.Enum([...SIGNING_ALGORITHMS])),
      key: optional(
        secret({
          lines: 'several',
          description: 'PEM public key (it may be written here), or the shared secret for HS*',
        }),
      ),
      file: optional(path({ description: 'file with the key' })),
    }),
    { description: 'public keys by key id; with several, keys can be rotated without an interruption' },
  ),
  required: defaulted(Type.Boolean({ description: 'refuse a bundle that is not signed' }), true),
});

const approvalSchema = section({
  keys: table(
    section({
      algorithm: Type.Unsafe<SigningAlgorithm>(Type.Enum([...APPROVAL_ALGORITHMS])),
      key: optional(secret({ lines: 'several', description: 'PEM public key; it may be written here' })),
      file: optional(path({ description: 'file with the key' })),
      until: optional(
        Type.String({
          pattern: '^\\d{4}-\\d{2}-\\d{2}$',
          description: 'last day (UTC) on which approvals signed with this key are valid',
        }),
      ),
    }),
    { description: 'public keys of reviewers by key id; never the key that signs bundles' },
  ),
  file: optional(
    path({
      description: 'file with approvals in addition to those in the bundle; read again when it changes',
    }),
  ),
});

const source = {
  dir: optional(
    path({ description: 'directory with Rego, data and catalogs; compiled at start and after a change' }),
  ),
  bundle: optional(path({ description: 'bundle file made by `sluice build` or `opa build -t wasm`' })),
  url: optional(url({ description: 'URL of the bundle' })),
  poll: defaulted(
    duration({ min: '1s', max: '1d', description: 'interval between two requests to the URL' }),
    '60s',
  ),
  headers: defaulted(
    table(secret(), { description: 'headers of every request to the URL; each value is a secret' }),
    {},
  ),
  cache_dir: optional(
    path({
      description: 'directory for the last valid bundle, which is used at a start while the server is down',
    }),
  ),
};

/** exactly one of `dir`, `bundle`, `url` */
export const policySchema = section({
  ...source,
  watch: defaulted(Type.Boolean({ description: 'load the policy again when it changes' }), true),
  signing: optional(signingSchema),
  require_approval: optional(approvalSchema),
  limits: defaulted(limitsSchema, {}),
  cache: defaulted(cacheSchema, {}),
  shadow: optional(
    section({
      ...source,
      sample: defaulted(
        Type.Number({
          minimum: 0,
          maximum: 1,
          description: 'share of the requests that are also decided by the shadow policy',
        }),
        0.1,
      ),
      cpu: defaulted(
        Type.Number({
          minimum: 0.001,
          maximum: 1,
          description: 'maximum share of one processor core for the shadow policy',
        }),
        0.05,
      ),
    }),
  ),
});

export type PolicySection = Static<typeof policySchema>;

/** @param report paths start at `policy` */
export function checkPolicy(policy: PolicySection, report: Report): void {
  const { require_approval: approval } = policy;
  if (approval !== undefined) {
    if (Object.keys(approval.keys).length === 0)
      report(['policy', 'require_approval', 'keys'], 'is empty: nothing could ever be approved');
    if (policy.dir !== undefined && approval.file === undefined)
      report(['policy', 'require_approval'], 'needs file: a directory carries no approvals');
    for (const [kid, { key, file }] of Object.entries(approval.keys))
      if (key === undefined && file === undefined)
        report(['policy', 'require_approval', 'keys', kid], 'needs the key, or a file that holds it');
  }
  const sources = ['dir', 'bundle', 'url'] as const;
  for (const [path, source] of [
    [['policy'], policy] as const,
    [['policy', 'shadow'], policy.shadow] as const,
  ]) {
    for (const [name, value] of Object.entries(source?.headers ?? {})) {
      const fault = headerFault(value);
      if (fault !== null) report([...path, 'headers', name], fault);
    }
    const given = source ? sources.filter((name) => source[name] !== undefined) : [];
    if (source && given.length !== 1)
      report(
        path,
        `needs exactly one of ${sources.join(', ')}${given.length === 0 ? '' : `; it has ${given.join(' and ')}`}`,
      );
  }
}
