/** A policy as a command names it, a directory or a bundle, with the files it is made of. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SluiceError } from '../../errors.ts';
import { DEFAULT_LIMITS } from '../../policy/archive.ts';
import type { PolicyBundle } from '../../policy/bundle.ts';
import { type CompileOptions, compileFiles, policyData } from '../../policy/compile.ts';
import { type PolicyDirectory, type PolicyFile, readPolicyDirectory } from '../../policy/directory.ts';
import { type Opa, resolveOpa } from '../../policy/opa.ts';
import { createFileSource } from '../../policy/sources/file.ts';
import type { Io } from '../io.ts';

export interface NamedPolicy {
  /** as it was named */
  readonly name: string;
  readonly bundle: PolicyBundle;
  /** what it is made of; a bundle that was not built by `sluice build` has none */
  readonly files: PolicyDirectory;
}

export type OpenOptions = Omit<Partial<CompileOptions>, 'revision'>;

/** A policy that is compiled when its bundle is asked for. */
export interface PolicySource {
  readonly name: string;
  readonly files: PolicyDirectory;
  /** whatever is wrong with the policy is thrown here, at every call */
  bundle(): Promise<PolicyBundle>;
  /** base document; needs no compiler */
  dataJson(): Promise<string>;
}

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
    const { opa: given, ...compile } = options;
    const opa = async (): Promise<Opa> => given ?? (await resolveOpa({ env: io.env }));
    return {
      name: path,
      files,
      bundle: async () => compileFiles(files, { opa: await opa(), ...compile }),
      dataJson: async () => (await policyData(files, await opa())).json,
    };
  }
  const loaded = await createFileSource({ file: at, limits: DEFAULT_LIMITS }).load();
  if (loaded === null) throw new SluiceError('policy_unavailable', `The bundle ${path} cannot be read.`);
  const { bundle } = loaded;
  return {
    name: path,
    files: filesOf(bundle, path),
    bundle: async () => bundle,
    dataJson: async () => bundle.dataJson,
  };
}

/** @throws SluiceError `policy_unavailable`, and whatever is wrong with it */
export async function openPolicy(path: string, io: Io, options: OpenOptions = {}): Promise<NamedPolicy> {
  const { name, files, bundle } = await openSource(path, io, options);
  return { name, files, bundle: await bundle() };
}

/** The files of a bundle, as they lay in the directory it was built from. */
export function filesOf(bundle: PolicyBundle, dir: string): PolicyDirectory {
  const files: PolicyFile[] = Object.entries(bundle.sources).map(([path, text]) => ({ path, text }));
  const below = (folder: string): PolicyFile[] =>
    files.filter((f) => f.path.startsWith(`${folder}/`) && !f.path.endsWith('.rego'));
  return {
    dir,
    rego: files.filter((f) => f.path.endsWith('.rego') && !f.path.endsWith('_test.rego')),
    tests: files.filter((f) => f.path.endsWith('_test.rego')),
    data: below('data'),
    catalogs: below('catalog'),
    scenarios: below('scenarios'),
  };
}
