/** The limits of an evaluation, and the errors that this library throws: one class, with a code that callers may depend on. */

export interface Limits {
  /** processor time of one evaluation, in milliseconds */
  readonly evaluationMs: number;
  /** memory of the instance with its data, in MiB */
  readonly memoryMb: number;
}

export type RegoErrorCode =
  /** the bytes are not a WebAssembly module that can be rewritten */
  | 'module_malformed'
  /** a module that OPA 1.19 did not build for WebAssembly, or whose function names were stripped */
  | 'module_unsupported'
  /** the module calls a built-in that has no implementation here */
  | 'builtin_unknown'
  /** the base document is not JSON that OPA's parser accepts */
  | 'data_invalid'
  | 'entrypoint_missing'
  /** the input does not fit the memory limit */
  | 'input_too_large'
  | 'memory_exceeded'
  | 'deadline_exceeded'
  /** a rule conflict, a trap, or a fault of a built-in */
  | 'evaluation_failed';

export class RegoError extends Error {
  readonly code: RegoErrorCode;
  /** the limit given to `load` that was reached */
  readonly limit: keyof Limits | undefined;

  constructor(
    code: RegoErrorCode,
    message: string,
    details: { readonly cause?: unknown; readonly limit?: keyof Limits } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RegoError';
    this.code = code;
    this.limit = details.limit;
  }
}
