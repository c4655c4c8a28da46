/** A directory of Rego, data and catalogs, compiled here. */
import { compilePolicy } from '../compile.ts';
import { listPolicyFiles } from '../directory.ts';
import { type Opa, resolveOpa } from '../opa.ts';
import { nothingToAccept, type PolicySource } from './source.ts';
import { watchPath } from './watching.ts';

export interface DirectoryOptions {
  readonly dir: string;
  /** default: resolved at the first load */
  readonly opa?: (() => Promise<Opa>) | undefined;
  readonly entrypoints?: readonly string[] | undefined;
}

export const createDirectorySource = ({
  dir,
  opa: find = resolveOpa,
  entrypoints,
}: DirectoryOptions): PolicySource => {
  let opa: Opa | undefined;
  let seen = '';
  const fingerprint = async (): Promise<string> => JSON.stringify(await listPolicyFiles(dir));
  return {
    name: dir,
    async load() {
      // Taken before the files are read: a change meanwhile is seen as one.
      const now = await fingerprint();
      if (now === seen) return null;
      opa ??= await find();
      seen = now;
      const bundle = await compilePolicy(dir, { opa, ...(entrypoints === undefined ? {} : { entrypoints }) });
      return { bundle, accepted: nothingToAccept };
    },
    watch: (changed) => watchPath({ path: dir, recursive: true, fingerprint }, changed),
  };
};
