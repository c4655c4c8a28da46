/** Policy source: a directory of Rego, data and catalogs, which is compiled. */
import { createHash } from 'node:crypto';
import { compileFiles } from '../compile.ts';
import { listPolicyFiles, type PolicyDirectory, readPolicyDirectory } from '../directory.ts';
import { type Opa, resolveOpa } from '../opa/opa.ts';
import { nothingToAccept, type PolicySource } from './source.ts';
import { watchPath } from './watching.ts';

export interface DirectoryOptions {
  readonly dir: string;
  /** default: resolved at the first load */
  readonly opa?: (() => Promise<Opa>) | undefined;
  readonly entrypoints?: readonly string[] | undefined;
  /** compile its unit tests, too */
  readonly tests?: boolean;
}

export const createDirectorySource = ({
  dir,
  opa: find = resolveOpa,
  entrypoints,
  tests = false,
}: DirectoryOptions): PolicySource => {
  let opa: Opa | undefined;
  /** digest of the content, since names, sizes and times may stay the same when it changes */
  let seen = '';
  return {
    name: dir,
    async load(anew = false) {
      const files = await readPolicyDirectory(dir);
      const now = digestOf(files);
      if (now === seen && !anew) return null;
      opa ??= await find();
      const isFirst = seen === '';
      seen = now;
      const bundle = await compileFiles(files, {
        opa: isFirst ? opa : inBackground(opa),
        tests,
        ...(entrypoints === undefined ? {} : { entrypoints }),
      });
      return { bundle, accepted: nothingToAccept };
    },
    watch: (changed) =>
      watchPath(
        { path: dir, recursive: true, fingerprint: async () => JSON.stringify(await listPolicyFiles(dir)) },
        changed,
      ),
  };
};

/** Whoever waits for a reload is in less of a hurry than the requests. */
const inBackground = (opa: Opa): Opa => ({
  ...opa,
  run: (args, options) => opa.run(args, { ...options, isBackground: true }),
});

const digestOf = ({ rego, tests, data, catalogs, scenarios }: PolicyDirectory): string => {
  const hash = createHash('sha256');
  for (const { path, text } of [rego, tests, data, catalogs, scenarios].flat())
    hash.update(JSON.stringify([path, text]));
  return hash.digest('hex');
};
