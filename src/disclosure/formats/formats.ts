/** Every format, by name. */
import { csv, tsv } from './csv/reader.ts';
import { form } from './form/reader.ts';
import type { Format } from './format.ts';
import { json } from './json/reader.ts';
import { multipart } from './multipart/reader.ts';
import { ndjson } from './json/ndjson.ts';
import { vcard } from './vcard/reader.ts';
import { wholeBody } from './opaque/reader.ts';
import { xml } from './xml/reader.ts';

export const FORMATS: readonly Format[] = [json, ndjson, xml, csv, tsv, form, multipart, vcard, wholeBody];
