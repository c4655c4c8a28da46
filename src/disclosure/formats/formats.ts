/** Every format, by name. */
import { csv, tsv } from './csv/csv.ts';
import { form } from './form/form.ts';
import type { Format } from './format.ts';
import { json } from './json/json.ts';
import { multipart } from './multipart/multipart.ts';
import { ndjson } from './json/ndjson.ts';
import { vcard } from './vcard/vcard.ts';
import { wholeBody } from './whole-body.ts';
import { xml } from './xml/xml.ts';

export const FORMATS: readonly Format[] = [json, ndjson, xml, csv, tsv, form, multipart, vcard, wholeBody];
