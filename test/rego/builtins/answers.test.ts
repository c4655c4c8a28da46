/** Each line of each file in `expressions/`, a file a family of built-ins, is answered as OPA's interpreter answers it. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { answersAsOpa } from './oracle.ts';

const FOLDER = fileURLToPath(new URL('./expressions/', import.meta.url));

for (const file of readdirSync(FOLDER).sort()) {
  describe(basename(file, '.txt'), () => {
    answersAsOpa(readFileSync(`${FOLDER}${file}`, 'utf8'));
  });
}
