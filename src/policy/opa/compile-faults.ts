/** Why a policy does not compile. Refused built-ins and Rego v0 have messages of their own; other faults have OPA's message. */
import type { SluiceError } from '../../errors.ts';
import type { PolicyDirectory } from '../directory.ts';
import type { Opa, OpaRun } from './opa.ts';
import { faultError, type Fault } from '../../documents/faults.ts';
import { faultsOf } from './faults.ts';
import { explainRefused, refusedBuiltin } from './refused.ts';

/** @param asV0 checks the same rules as Rego v0; null: the rules are known not to be Rego v0 */
export const compileError = async (
  opa: Opa,
  files: PolicyDirectory,
  run: OpaRun,
  asV0: (() => Promise<OpaRun>) | null,
): Promise<SluiceError> => {
  const faults = faultsOf(run, files.dir);
  const isOld = faults.some((f) => isV0(f) && !isBehindAnother(f, faults));
  if (asV0 !== null && (isOld || (await asV0()).code === 0)) return v0Error(faults, files);
  const named = faults.map((fault) => ({ fault, builtin: refusedBuiltin(fault, files) }));
  const refused = named.filter((n) => n.builtin !== null);
  if (refused.length === 0) return faultError('policy_compile_failed', faults);
  const explained = await Promise.all(refused.map((n) => explainRefused(opa, n.fault, n.builtin!)));
  return faultError('policy_builtin_refused', [
    ...explained,
    ...named.filter((n) => n.builtin === null).map((n) => n.fault),
  ]);
};

const isV0 = ({ message }: Fault): boolean =>
  /^rego_parse_error: .*`(?:if|contains)` keyword is required/.test(message);

/** After the first syntax error in a file, later ones are unreliable: `pakcage x` does not mean Rego v0. */
const isBehindAnother = ({ file, line = 0 }: Fault, faults: readonly Fault[]): boolean =>
  faults.some(
    (f) => f.file === file && (f.line ?? 0) <= line && !isV0(f) && f.message.startsWith('rego_parse_error'),
  );

/** one fault for each file, instead of two for each rule */
const v0Error = (faults: readonly Fault[], { dir }: PolicyDirectory): SluiceError => {
  const told = new Set<string | undefined>();
  const short = faults.flatMap((f) => {
    if (!isV0(f)) return [f];
    if (told.has(f.file) || isBehindAnother(f, faults)) return [];
    told.add(f.file);
    return [{ ...f, message: 'this is Rego v0, the language before OPA 1.0; Sluice takes Rego v1' }];
  });
  return faultError('policy_compile_failed', short, {
    advice: `Written for OPA before 1.0? \`$(sluice opa --path) fmt --v0-v1 --write ${dir}\` rewrites Rego v0 as v1.`,
  });
};
