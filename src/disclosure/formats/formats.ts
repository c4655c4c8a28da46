/** The formats, one line each. Everything else that depends on a format reads its declaration (`format.ts`). */
import { csv, tsv } from './csv/reader.ts';
import { form } from './form/reader.ts';
import type { Format } from './format.ts';
import { ndjson } from './json/ndjson.ts';
import { json } from './json/reader.ts';
import { multipart } from './multipart/reader.ts';
import { opaque } from './opaque/reader.ts';
import { eventStream } from './sse/reader.ts';
import { vcard } from './vcard/reader.ts';
import { xml } from './xml/reader.ts';

export const FORMATS: readonly Format[] = [
  json,
  ndjson,
  xml,
  csv,
  tsv,
  form,
  multipart,
  vcard,
  opaque,
  eventStream([json, xml, form]),
]; // prettier-ignore
