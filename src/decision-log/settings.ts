/** Settings of the log, from the section `decision_log` of sluice.yaml, with defaults for what is omitted. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { isReservedInstance } from './instance.ts';
import type { DecisionLogConfig } from './section.ts';
import type { WorkerSettings } from './index/protocol.ts';
import type { NoteSigner } from '../model/signing.ts';
import { remoteOf } from './sinks/section.ts';
import { readTls } from './sinks/destination.ts';
import { openWitness } from './tree/witnesses.ts';
import { instanceName } from './journal/origin.ts';

export { DEFAULT_MASK } from './mask.ts';

/** The section with optional members. */
export type DecisionLogInput = {
  readonly [K in keyof DecisionLogConfig]?: DecisionLogConfig[K] extends infer V | undefined
    ? K extends 'journal' | 'mask'
      ? Partial<V>
      : V
    : never;
};

export interface Settings {
  readonly dir: string;
  readonly durability: 'strict' | 'interval';
  readonly syncInterval: number;
  readonly segmentSize: number;
  readonly segmentAge: number;
  readonly minFree: number;
  readonly maxRecord: number;
  readonly instance: string;
}

/** @param baseDir base of relative paths */
export function settings(config: DecisionLogInput, baseDir: string): Settings {
  const j = config.journal ?? {};
  return {
    dir: resolve(baseDir, j.dir ?? './data/journal'),
    durability: j.durability ?? 'strict',
    syncInterval: j.sync_interval ?? 100,
    segmentSize: j.segment_size ?? 64 * MIB,
    segmentAge: j.segment_age ?? DAY,
    minFree: j.min_free ?? 64 * MIB,
    maxRecord: j.max_record ?? 256 * KIB,
    instance: instanceName(j.instance ?? hostInstance(hostname())),
  };
}

/** A host may have a name that is reserved. */
export const hostInstance = (host: string): string =>
  isReservedInstance(instanceName(host)) ? `host-${host}` : host;

const DAY = 86_400_000;
const KIB = 1024;
const MIB = 1024 * KIB;

export function indexOf(config: DecisionLogInput['index'], baseDir: string): WorkerSettings['index'] {
  if (config === undefined || config === 'none') return null;
  return 'sqlite' in config ? { ...config, sqlite: resolve(baseDir, config.sqlite) } : config;
}

export const sinksOf = (config: DecisionLogInput['sinks'], baseDir: string): WorkerSettings['sinks'] =>
  (config ?? []).map((sink) => {
    if ('file' in sink) return { file: resolve(baseDir, sink.file) };
    // Missing files are found at the start, not by the first record.
    const remote = remoteOf(sink);
    if (remote !== null) readTls(remote.tls, `${remote.kind}:${remote.name}`);
    return sink;
  });

/** Names of sinks as the policy and metrics have them. */
export const sinkNames = (config: DecisionLogInput['sinks'], baseDir: string): readonly string[] =>
  (config ?? []).map((sink) => {
    const remote = remoteOf(sink);
    if (remote !== null) return `${remote.kind}:${remote.name}`;
    return 'file' in sink ? `file:${resolve(baseDir, sink.file)}` : 'stdout';
  });

/** @throws SluiceError `config_invalid`, `signing_key_unavailable` */
export function checkpointsOf(
  config: DecisionLogInput['checkpoints'],
  notes: NoteSigner | undefined,
): WorkerSettings['checkpoints'] {
  if (config === undefined || notes === undefined) return null;
  for (const witness of config.witnesses) openWitness(witness, () => new Date());
  return {
    name: config.name,
    every: config.every,
    witnesses: config.witnesses,
    publicKey: notes.publicKey(),
  };
}
