/** Checks at the start what a route states about its answers: charset, and the options of the format. */
import { isSluiceError } from '../errors.ts';
import type { FormatName } from '../model/disclosure.ts';
import { CatalogCache } from './fields/catalogs.ts';
import { charset as charsetNamed } from './formats/shared/charsets.ts';
import { FORMATS } from './formats/formats.ts';
import { DEFAULT_LIMITS } from './limits.ts';

export interface ExpectedResponse {
  readonly format?: FormatName | null;
  readonly charset?: string | null;
  readonly options: { readonly [name: string]: unknown };
}

const NOTHING = { resource: '', data_subject: [], attributes: {}, fields: {}, envelope: {} };

export interface ResponseFault {
  readonly key: 'charset' | 'options';
  readonly message: string;
}

/** Null: no fault, as far as it does not depend on the Content-Type of the answer. */
export function responseFault({ format: name, charset, options }: ExpectedResponse): ResponseFault | null {
  let key: ResponseFault['key'] = 'charset';
  try {
    if (charset != null) charsetNamed(charset);
    const format = FORMATS.find((f) => f.name === name);
    if (!format) return null;
    key = 'options';
    const compiled = new CatalogCache().compile(NOTHING, new Map());
    format.open({
      matcher: compiled.base,
      envelope: compiled.envelope(null),
      charset: charset ?? 'utf-8',
      // the parameters of the Content-Type are known only when the answer comes
      options: { ...Object.fromEntries((format.media.parameters ?? []).map((p) => [p, 'x'])), ...options },
      limits: DEFAULT_LIMITS,
    });
    return null;
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    // a format that does not support the charset throws when it is opened
    return { key: e.code === 'config_invalid' ? key : 'charset', message: e.message };
  }
}
