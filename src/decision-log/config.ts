/** The section `decision_log` of sluice.yaml: its schema, its defaults and their bounds. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { SluiceError } from '../errors.ts';
import type { WorkerSettings } from './index/protocol.ts';
import { DEFAULT_MASK } from './mask.ts';
import { instanceName } from './origin.ts';
import { readReference, type SecretSource } from './secret.ts';

const closed = { additionalProperties: false } as const;

const Size = (bounds: { default: string; description: string }) =>
  Type.String({ pattern: '^[1-9]\\d{0,11} ?(B|KiB|MiB|GiB|TiB)$', ...bounds });
const Secret = (description: string) =>
  Type.String({ pattern: '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$', description });
const Pointer = Type.String({ pattern: '^(/[^/]*)+$' });

export const decisionLogConfigSchema = Type.Object(
  {
    journal: Type.Object(
      {
        dir: Type.String({
          minLength: 1,
          default: './data/journal',
          description: 'Directory of the journal, on a local disk. Created if it is not there.',
        }),
        durability: Type.Union([Type.Literal('strict'), Type.Literal('interval')], {
          default: 'strict',
          description:
            'strict: nothing is released before its record is flushed to disk. interval: before its record is written; flushed every sync_interval, so that a power cut (not a crash) may lose that much.',
        }),
        sync_interval: Type.String({
          pattern: '^[1-9]\\d{0,5}(ms|s)$',
          default: '100ms',
          description: 'Only with durability: interval. 10ms to 60s.',
        }),
        segment_size: Size({
          default: '64MiB',
          description: 'A new segment begins once one has reached this size. 64 KiB to 1 GiB.',
        }),
        min_free: Size({
          default: '64MiB',
          description: 'Requests are refused while the file system has less free than this. From 64 KiB.',
        }),
        max_record: Size({
          default: '256KiB',
          description: 'A longer record is written as several. 8 KiB to 16 MiB.',
        }),
        instance: Type.Optional(
          Type.String({
            pattern: '^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$',
            description: 'First part of the names of this instance’s chains; the host name by default.',
          }),
        ),
        key: Type.Optional(
          Secret(
            'Signs the heads of the chains, so that rewriting a whole chain is found out. env:NAME or file:PATH.',
          ),
        ),
      },
      { ...closed, default: {} },
    ),
    index: Type.Union(
      [
        Type.Literal('none'),
        Type.Object({ sqlite: Type.String({ minLength: 1 }) }, closed),
        Type.Object(
          { postgres: Type.String({ pattern: '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|postgres(ql)?://.+)$' }) },
          closed,
        ),
      ],
      {
        default: 'none',
        description:
          'Queryable copy: {sqlite: PATH} or {postgres: "env:DATABASE_URL"}. Rebuilt from the journal if lost.',
      },
    ),
    sinks: Type.Array(
      Type.Union([
        Type.Object({ file: Type.String({ minLength: 1 }) }, closed),
        Type.Object({ stdout: Type.Literal(true) }, closed),
      ]),
      {
        default: [],
        maxItems: 8,
        description: 'Where copies are sent, at least once each: {file: PATH} or {stdout: true}.',
      },
    ),
    data_subject_key: Type.Optional(
      Secret(
        'Key of the data-subject HMACs. Generated beside the journal if none is given. env:NAME or file:PATH.',
      ),
    ),
    mask: Type.Object(
      {
        pseudonymize: Type.Array(Pointer, { default: [...DEFAULT_MASK.pseudonymize] }),
        mask: Type.Array(Pointer, { default: [...DEFAULT_MASK.mask] }),
        keep: Type.Array(Pointer, { default: [...DEFAULT_MASK.keep] }),
      },
      {
        ...closed,
        default: {},
        description:
          'What of a request is hidden in its record; JSON Pointers into the record, `*` for any key.',
      },
    ),
  },
  { ...closed, default: {} },
);

export type DecisionLogConfig = Static<typeof decisionLogConfigSchema>;
/** What a caller may leave out. */
export type DecisionLogInput = {
  readonly [K in keyof DecisionLogConfig]?: DecisionLogConfig[K] extends infer V | undefined
    ? V extends readonly unknown[] | string
      ? V
      : Partial<V>
    : never;
};

export interface Settings {
  readonly dir: string;
  readonly durability: 'strict' | 'interval';
  readonly syncInterval: number;
  readonly segmentSize: number;
  readonly minFree: number;
  readonly maxRecord: number;
  readonly instance: string;
}

/** @throws SluiceError `config_invalid` for a value outside its bounds; relative paths start at `baseDir` */
export function settings(config: DecisionLogInput, baseDir: string): Settings {
  const j = config.journal ?? {};
  return {
    dir: resolve(baseDir, j.dir ?? './data/journal'),
    durability: j.durability ?? 'strict',
    syncInterval: within('sync_interval', milliseconds(j.sync_interval ?? '100ms'), 10, 60_000, 'ms'),
    segmentSize: within('segment_size', bytes(j.segment_size ?? '64MiB'), 64 * KIB, GIB, 'bytes'),
    minFree: within('min_free', bytes(j.min_free ?? '64MiB'), 64 * KIB, Number.MAX_SAFE_INTEGER, 'bytes'),
    maxRecord: within('max_record', bytes(j.max_record ?? '256KiB'), 8 * KIB, 16 * MIB, 'bytes'),
    instance: instanceName(j.instance ?? hostname()),
  };
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const UNITS: { readonly [unit: string]: number } = { B: 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: 1024 * GIB };

function bytes(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,11}) ?([A-Za-z]+)$/.exec(text) ?? [];
  return Number(digits) * (UNITS[unit ?? ''] ?? Number.NaN);
}

function milliseconds(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,5})(ms|s)$/.exec(text) ?? [];
  return Number(digits) * (unit === 's' ? 1000 : 1);
}

function within(name: string, value: number, least: number, most: number, unit: string): number {
  if (value >= least && value <= most) return value;
  throw new SluiceError(
    'config_invalid',
    `decision_log.journal.${name} must be from ${least} to ${most} ${unit}${Number.isNaN(value) ? ', with its unit' : ''}.`,
  );
}

/** @throws SluiceError `config_invalid` */
export function indexOf(config: DecisionLogInput['index'], source: SecretSource): WorkerSettings['index'] {
  if (config === undefined || config === 'none') return null;
  if ('sqlite' in config) return { sqlite: resolve(source.baseDir, config.sqlite) };
  if ('postgres' in config)
    return {
      postgres: readReference(config.postgres, 'decision_log.index.postgres', source) ?? config.postgres,
    };
  throw new SluiceError(
    'config_invalid',
    'decision_log.index: write none, {sqlite: PATH} or {postgres: "env:DATABASE_URL"}.',
  );
}

/** @throws SluiceError `config_invalid` */
export function sinksOf(config: DecisionLogInput['sinks'], baseDir: string): WorkerSettings['sinks'] {
  return (config ?? []).map((sink, i) => {
    if ('file' in sink) return { file: resolve(baseDir, sink.file) };
    if ('stdout' in sink && sink.stdout === true) return { stdout: true };
    const kinds = Object.keys(sink).join(', ');
    throw new SluiceError(
      'config_invalid',
      `decision_log.sinks[${i}]: there is no sink of the kind ${kinds || 'given'}; write {file: PATH} or {stdout: true}.`,
    );
  });
}
