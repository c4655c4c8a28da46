/**
 * What OPA's optimiser does to negations. It puts the helper rules that it makes of them in `package partial`, numbered anew
 * for every entrypoint, so that the helper of one takes the place of another's and the negation is answered by the wrong rule.
 */
import { SluiceError } from '../../errors.ts';

type Files = ReadonlyMap<string, Uint8Array>;

/** The file of the second entrypoint that has helpers, and of any further one, carries a number. */
export const replacedHelpers = (files: Files): string | undefined =>
  [...files.keys()].find((path) => /(?:^|\/)optimized\/partial(?:\/.*)?\.\d+\.rego$/.test(path));

export const refuseReplacedHelpers = (files: Files, name: string): void => {
  const replaced = replacedHelpers(files);
  if (replaced !== undefined)
    throw new SluiceError(
      'bundle_malformed',
      `${name}: ${replaced}: OPA's optimiser has taken negations of one entrypoint for those of another. Build it with \`sluice build\`, or \`opa build -O 0\`.`,
    );
};
