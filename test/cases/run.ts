/**
 * `npm run cases -- <folder>`: runs small inputs that outside testing found, against the whole product. The folder's README says what a
 * case is; it is read where it stands. Ends with `N passed, N failed`; every failure is named. Exit code 0 if nothing failed, 1 if
 * something did, 2 if the folder holds no cases that can be read.
 */
import '../../src/json-parse.ts';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { exchanges } from './exchanges.ts';
import { http } from './http.ts';
import { values } from './values.ts';

/** What was wrong with one case, in lines; none: it passed. */
export type Check = (cases: readonly never[]) => AsyncIterable<Result>;
export interface Result {
  readonly name: string;
  readonly class: string;
  readonly faults: readonly string[];
}

const KINDS: Readonly<Record<string, Check>> = {
  'values.yaml': values as Check,
  'exchanges.yaml': exchanges as Check,
  'http.yaml': http as Check,
};

async function main([folder, only, ...rest]: readonly string[]): Promise<number> {
  if (folder === undefined || rest.length > 0) {
    process.stderr.write('usage: npm run cases -- <folder> [part of a name or a class]\n');
    return 2;
  }
  const files = Object.keys(KINDS).filter((file) => existsSync(join(folder, file)));
  if (files.length === 0) {
    process.stderr.write(`${folder}: has none of ${Object.keys(KINDS).join(', ')}\n`);
    return 2;
  }
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    const all = parse(readFileSync(join(folder, file), 'utf8')) as { name: string; class: string }[];
    const cases = all.filter((c) => only === undefined || c.class === only || c.name.includes(only));
    for await (const { name, class: of, faults } of KINDS[file]!(cases as never[])) {
      if (faults.length === 0) passed += 1;
      else {
        failed += 1;
        process.stdout.write(`failed: ${file}: ${name} (${of})\n${faults.map((f) => `  ${f}\n`).join('')}`);
      }
    }
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
