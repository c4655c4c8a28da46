/** The formats that `parse` knows, one a line. */
import type { InnerFormat } from './format.ts';
import { json } from './json.ts';
import { vcard, xml } from './xml.ts';

export const INNER_FORMATS: ReadonlyMap<string, InnerFormat> = new Map(
  [json, vcard, xml].map((format) => [format.name, format]),
);
