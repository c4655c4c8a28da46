/**
 * Evaluates Rego policies that OPA has compiled to WebAssembly. See README.md; nothing else of this folder is public.
 *
 * - `load` makes an `Evaluator` of a module; `Evaluator.evaluate` answers an entrypoint, within limits of time and memory.
 * - `RegoError` is what both throw; its `code` is stable.
 * - `BuiltinFailure`, `Builtin` and the value types serve host functions of your own (`LoadOptions.builtins`).
 * - `exactJson` parses and prints JSON without changing numbers; `readYamlWord` reads an unquoted word of YAML as OPA does.
 */

export type { Builtin, EvaluationContext, Nondeterminism } from './builtins/types.ts';
export { resolve as readYamlWord } from './builtins/yaml/words.ts';
export type { Limits, RegoErrorCode } from './errors.ts';
export { RegoError } from './errors.ts';
export type { Evaluation, EvaluationInput, Evaluator } from './evaluator.ts';
export { exactJson } from './exact-json.ts';
export type { LoadOptions } from './load.ts';
export { load } from './load.ts';
export type { RegoNumber, RegoObject, RegoSet, RegoValue } from './values.ts';
export { isNumber, numberText } from './values.ts';
