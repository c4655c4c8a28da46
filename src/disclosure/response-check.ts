/** What a route says of its answers, tried at the start: a misspelled option is a table misread, and the first request is late to learn it. */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { FormatName } from '../model/disclosure.ts';
import { CatalogCache } from './catalogs.ts';
import { charset as charsetNamed } from './charsets.ts';
import { FORMATS } from './formats/formats.ts';
import { DEFAULT_LIMITS } from './limits.ts';

export interface ExpectedResponse {
  readonly format?: FormatName | null;
  readonly charset?: string | null;
  readonly options: { readonly [name: string]: unknown };
}

const NOTHING = { resource: '', data_subject: [], attributes: {}, fields: {}, envelope: {} };

/** @throws SluiceError `config_invalid`; what depends on the answer's own Content-Type is not looked at */
export function checkResponse({ format: name, charset, options }: ExpectedResponse, where: string): void {
  try {
    if (charset != null) charsetNamed(charset);
    const format = FORMATS.find((f) => f.name === name);
    if (!format) return;
    const compiled = new CatalogCache().compile(NOTHING, new Map());
    format.open({
      matcher: compiled.base,
      envelope: compiled.envelope(null),
      charset: charset ?? 'utf-8',
      // comes with each answer, and only there
      options: name === 'multipart' ? { boundary: 'x', ...options } : options,
      limits: DEFAULT_LIMITS,
    });
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    throw new SluiceError('config_invalid', { message: `${where}: ${e.message}`, cause: e });
  }
}
