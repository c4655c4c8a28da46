/** The formats that `parse` knows, one a line. */
import type { InnerFormat } from './inner.ts';
import { json } from './json.ts';
import { xml } from './xml.ts';

export const INNER_FORMATS: ReadonlyMap<string, InnerFormat> = new Map(
  [json, xml].map((format) => [format.name, format]),
);
