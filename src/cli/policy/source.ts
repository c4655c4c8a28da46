/** A policy named on the command line, a directory or a bundle, with its source files. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { DEFAULT_LIMITS } from '../../policy/bundle/archive.ts';
import type { PolicyBundle } from '../../policy/bundle/bundle.ts';
import { type CompileOptions, compileFiles } from '../../policy/compile.ts';
import { policyData } from '../../policy/data.ts';
import {
  byPurpose,
  type PolicyDirectory,
  type PolicyFile,
  readPolicyDirectory,
} from '../../policy/directory.ts';
import { type Opa, resolveOpa } from '../../policy/opa/opa.ts';
import { createFileSource } from '../../policy/sources/file.ts';
import type { Io } from '../io.ts';

export interface NamedPolicy {
  /** as given */
  readonly name: string;
  readonly bundle: PolicyBundle;
  /** source files; a bundle that `sluice build` did not build has none */
  readonly files: PolicyDirectory;
}

export interface OpenOptions extends Omit<Partial<CompileOptions>, 'revision'> {
  /** rules of a command, compiled with those of a directory */
  readonly besides?: readonly PolicyFile[];
}

/** A policy that is compiled when its bundle is requested. */
export interface PolicySource {
  readonly name: string;
  readonly files: PolicyDirectory;
  /** it is a directory: entrypoints can be chosen */
  readonly compiles: boolean;
  /** throws the policy's faults, at every call */
  bundle(): Promise<PolicyBundle>;
  /** base document; needs no compiler */
  dataJson(): Promise<string>;
}

/** Cache settings for a policy that gets each query once. */
export const ASKED_ONCE = { entries: 0, bytes: 64 * 1024, time_step_ms: 1000 } as const;

/** @throws SluiceError `policy_unavailable` */
export async function openSource(path: string, io: Io, options: OpenOptions = {}): Promise<PolicySource> {
  const at = resolve(io.cwd, path);
  const found = await stat(at).catch(() => null);
  if (found === null)
    throw new SluiceError(
      'policy_unavailable',
      `There is no policy at ${path}. Name a directory, or a bundle made by \`sluice build\`.`,
    );
  if (found.isDirectory()) {
    const files = await readPolicyDirectory(at);
    const { opa: given, besides = [], ...compile } = options;
    const all = { ...files, rego: [...files.rego, ...besides] };
    const opa = async (): Promise<Opa> => given ?? (await resolveOpa({ env: io.env }));
    return {
      name: path,
      files,
      compiles: true,
      bundle: async () => compileFiles(all, { opa: await opa(), ...compile }),
      dataJson: async () => (await policyData(files, await opa(), options.keep)).json,
    };
  }
  const loaded = await createFileSource({ file: at, limits: DEFAULT_LIMITS }).load();
  if (loaded === null) throw new SluiceError('policy_unavailable', `The bundle ${path} cannot be read.`);
  const { bundle } = loaded;
  return {
    name: path,
    files: filesOf(bundle, path),
    compiles: false,
    bundle: async () => bundle,
    dataJson: async () => bundle.dataJson,
  };
}

/** @throws SluiceError `policy_unavailable`, and the policy's faults */
export async function openPolicy(path: string, io: Io, options: OpenOptions = {}): Promise<NamedPolicy> {
  const { name, files, bundle } = await openSource(path, io, options);
  return { name, files, bundle: await bundle() };
}

/** The files of a bundle, as in the directory that it was built from. */
export const filesOf = (bundle: PolicyBundle, dir: string): PolicyDirectory =>
  byPurpose(
    dir,
    Object.entries(bundle.sources).map(([path, text]) => ({ path, text })),
  );
