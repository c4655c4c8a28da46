/** The formats of `parse`, one line each. */
import type { InnerFormat } from './format.ts';
import { json } from './json.ts';
import { vcard, xml } from './xml.ts';

export const INNER_FORMATS: ReadonlyMap<string, InnerFormat> = new Map(
  [json, vcard, xml].map((format) => [format.name, format]),
);
