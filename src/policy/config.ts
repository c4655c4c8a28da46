/** The `policy` section: where the policy comes from, who must have signed it, and how much it may use. */
import { type Static, Type } from 'typebox';
import { SIGNING_ALGORITHMS } from './signatures.ts';

const closed = { additionalProperties: false } as const;
const MiB = 1024 * 1024;

const bounded = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description });

export const policyLimitsSchema = Type.Object(
  {
    evaluation_ms: Type.Optional(
      bounded(5, 10_000, 100, 'longest evaluation, in milliseconds on a machine of 2020'),
    ),
    memory_mb: Type.Optional(bounded(4, 4096, 256, 'memory of one evaluation, data included')),
    input_bytes: Type.Optional(bounded(1024, 64 * MiB, 4 * MiB, 'largest input')),
    bundle_bytes: Type.Optional(bounded(64 * 1024, 1024 * MiB, 64 * MiB, 'largest bundle as it comes')),
    expanded_bytes: Type.Optional(bounded(64 * 1024, 4096 * MiB, 256 * MiB, 'largest bundle, unpacked')),
    ratio: Type.Optional(bounded(10, 10_000, 200, 'unpacked to packed')),
  },
  closed,
);

export const policyCacheSchema = Type.Object(
  {
    entries: Type.Optional(bounded(0, 1_000_000, 20_000, 'answers kept per entrypoint; 0: none')),
    bytes: Type.Optional(bounded(64 * 1024, 1024 * MiB, 32 * MiB, 'size of the keys and answers kept')),
    time_step_ms: Type.Optional(
      bounded(1, 3_600_000, 1000, 'a policy sees the time in steps of this length'),
    ),
  },
  closed,
);

export const policySigningSchema = Type.Object(
  {
    keys: Type.Record(
      Type.String(),
      Type.Object(
        {
          algorithm: Type.Enum([...SIGNING_ALGORITHMS]),
          key: Type.Optional(Type.String({ description: 'PEM public key, or the shared secret for HS*' })),
          file: Type.Optional(Type.String({ description: 'a file that holds it' })),
        },
        closed,
      ),
      { description: 'by key id; several, so that keys can be changed without a gap' },
    ),
    required: Type.Optional(
      Type.Boolean({ default: true, description: 'refuse a bundle that is not signed' }),
    ),
  },
  closed,
);

const source = {
  dir: Type.Optional(
    Type.String({ description: 'Rego, data and catalogs; compiled at start and on change' }),
  ),
  bundle: Type.Optional(Type.String({ description: 'a file made by `sluice build` or `opa build -t wasm`' })),
  url: Type.Optional(Type.String({ description: 'where bundles are served' })),
  poll: Type.Optional(
    Type.Union(
      [Type.Integer({ minimum: 1000, maximum: 86_400_000 }), Type.String({ pattern: '^\\d+(ms|s|m|h)$' })],
      { default: '60s', description: 'time between two looks at the URL' },
    ),
  ),
  headers: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: 'sent with every request to the URL' }),
  ),
  cache_dir: Type.Optional(
    Type.String({ description: 'the last good bundle is kept here, for a start while the server is down' }),
  ),
};

export const policyShadowSchema = Type.Object(
  {
    ...source,
    sample: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        default: 0.1,
        description: 'part of the requests that are asked again',
      }),
    ),
    cpu: Type.Optional(
      Type.Number({
        minimum: 0.001,
        maximum: 1,
        default: 0.05,
        description: 'part of one core that this may use',
      }),
    ),
  },
  closed,
);

/** exactly one of `dir`, `bundle`, `url` */
export const policyConfigSchema = Type.Object(
  {
    ...source,
    watch: Type.Optional(Type.Boolean({ default: true, description: 'load it anew when it changes' })),
    signing: Type.Optional(policySigningSchema),
    limits: Type.Optional(policyLimitsSchema),
    cache: Type.Optional(policyCacheSchema),
    shadow: Type.Optional(policyShadowSchema),
  },
  closed,
);

/** as a validator leaves it: members may be absent or undefined */
type Loose<T> = { readonly [K in keyof T]: T[K] extends object ? Loose<T[K]> : T[K] | undefined };
export type PolicyConfig = Loose<Static<typeof policyConfigSchema>>;
export type PolicyShadowConfig = Loose<Static<typeof policyShadowSchema>>;

export interface PolicyLimits {
  readonly evaluation_ms: number;
  readonly memory_mb: number;
  readonly input_bytes: number;
  readonly bundle_bytes: number;
  readonly expanded_bytes: number;
  readonly ratio: number;
}

export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
  readonly time_step_ms: number;
}

export const DEFAULT_LIMITS: PolicyLimits = {
  evaluation_ms: 100,
  memory_mb: 256,
  input_bytes: 4 * MiB,
  bundle_bytes: 64 * MiB,
  expanded_bytes: 256 * MiB,
  ratio: 200,
};

export const DEFAULT_CACHE: CacheLimits = { entries: 20_000, bytes: 32 * MiB, time_step_ms: 1000 };

/** the defaults where a value is absent */
export const settle = <T extends object>(
  defaults: T,
  given: { readonly [K in keyof T]?: T[K] | undefined } | undefined,
): T => {
  const settled = { ...defaults };
  for (const key of Object.keys(defaults) as (keyof T)[]) {
    const value = given?.[key];
    if (value !== undefined) settled[key] = value;
  }
  return settled;
};

const UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `60s`, `5m`, or milliseconds */
export const milliseconds = (value: string | number | undefined, fallback: number): number => {
  if (typeof value === 'number') return value;
  const m = /^(\d+)(ms|s|m|h)$/.exec(value ?? '');
  return m === null ? fallback : Number(m[1]) * UNITS[m[2]!]!;
};
