/** Everything that is fuzzed. A new target is one file and one line here. */
import { http } from './http.ts';
import { json, ndjson } from './json.ts';
import { scanner } from './scanner.ts';
import { csv, form, multipart, tsv, xml } from './tables.ts';
import type { FuzzTarget } from './target.ts';

export const TARGETS: readonly FuzzTarget[] = [json, ndjson, scanner, xml, csv, tsv, form, multipart, http];
