/** JSON without loss of precision: a number that a double cannot hold keeps the text it was written with. */

interface Raw {
  readonly rawJSON: string;
}
/** ES2026 `JSON.rawJSON` and the source argument of a reviver, in V8 since 11.4; TypeScript's library has neither yet. */
const json = JSON as unknown as {
  rawJSON(text: string): Raw;
  isRawJSON(value: unknown): value is Raw;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
};

const reviver = (_key: string, value: unknown, context: { source?: string }): unknown =>
  typeof value === 'number' && context.source !== undefined && String(value) !== context.source
    ? json.rawJSON(context.source)
    : value;

/**
 * A number that may change when it is read as a double and written again. May match within a string, too. Only a text that
 * matches is parsed with the slow reviver.
 */
const UNUSUAL = /(?:^|[[,:])\s*(?:-0|-?\d+[.eE]|-?\d{16})/;

export const exactJson = {
  /** whether some number of the text may change when it is read as a double and written again */
  needed: (text: string): boolean => UNUSUAL.test(text),
  parse: (text: string): unknown => (UNUSUAL.test(text) ? json.parse(text, reviver) : JSON.parse(text)),
  stringify: (value: unknown): string => JSON.stringify(value),
  isRaw: (value: unknown): value is Raw => json.isRawJSON(value),
  /** the same value with ordinary numbers */
  plain: (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (json.isRawJSON(value)) return Number(value.rawJSON);
    if (Array.isArray(value)) return value.map((v) => exactJson.plain(v));
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, exactJson.plain(v)]));
  },
};
