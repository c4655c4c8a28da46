/**
 * Detects a fault of OPA's optimizer. It makes helper rules of negations in `package partial`, numbered from the start for every
 * entrypoint, so that the helper of one entrypoint replaces that of another, and a negation is computed by the wrong rule.
 */
import { SluiceError } from '../../errors.ts';

type Files = ReadonlyMap<string, Uint8Array>;

/** @returns the file of the second entrypoint with helpers, which has a number in its name; undefined if there is none */
export const replacedHelpers = (files: Files): string | undefined =>
  [...files.keys()].find((path) => /(?:^|\/)optimized\/partial(?:\/.*)?\.\d+\.rego$/.test(path));

export const refuseReplacedHelpers = (files: Files, name: string): void => {
  const replaced = replacedHelpers(files);
  if (replaced !== undefined)
    throw new SluiceError(
      'bundle_malformed',
      `${name}: ${replaced}: OPA's optimizer confused negations of two entrypoints. Build it with \`sluice build\`, or \`opa build -O 0\`.`,
    );
};
