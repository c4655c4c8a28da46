/** Every format, by name. */
import { csv, tsv } from './csv.ts';
import { form } from './form.ts';
import type { Format } from './format.ts';
import { json } from './json.ts';
import { multipart } from './multipart.ts';
import { ndjson } from './ndjson.ts';
import { vcard } from './vcard.ts';
import { wholeBody } from './whole-body.ts';
import { xml } from './xml.ts';

export const FORMATS: readonly Format[] = [json, ndjson, xml, csv, tsv, form, multipart, vcard, wholeBody];
