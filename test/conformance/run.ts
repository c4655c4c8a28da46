/**
 * `npm run conformance -- <folder> …`: runs cases that others wrote. What a folder holds decides which runner reads it.
 * Ends with `N passed, N failed, N skipped`; every failure and every skip is named with its reason. Exit code 0 if
 * nothing failed, 1 if something did, 2 if a folder holds nothing that can be read.
 */
import '../../src/json-parse.ts';
import { stat } from 'node:fs/promises';
import { csv } from './csv.ts';
import { json } from './json.ts';
import { opa } from './opa.ts';
import type { Outcome, Runner } from './outcome.ts';

const RUNNERS: readonly Runner[] = [opa, csv, json];

const runnerFor = async (folder: string): Promise<Runner | undefined> => {
  for (const runner of RUNNERS) if (await runner.accepts(folder)) return runner;
  return undefined;
};

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

const main = async (folders: readonly string[]): Promise<number> => {
  if (folders.length === 0) {
    process.stderr.write('usage: npm run conformance -- <folder> …\n');
    return 2;
  }
  const counts: Record<Outcome['status'], number> = { passed: 0, failed: 0, skipped: 0 };
  for (const folder of folders) {
    const runner = (await isFolder(folder)) ? await runnerFor(folder) : undefined;
    if (runner === undefined) {
      process.stderr.write(
        `${folder}: not a folder of cases that a runner here reads (${RUNNERS.map((r) => r.name).join(', ')}).\n`,
      );
      return 2;
    }
    process.stdout.write(`${folder}: ${runner.name}\n`);
    const refused = new Map<string, number>();
    for await (const outcome of runner.run(folder)) {
      counts[outcome.status] += 1;
      for (const name of outcome.refused ?? []) refused.set(name, (refused.get(name) ?? 0) + 1);
      if (outcome.status !== 'passed')
        process.stdout.write(`${outcome.status}: ${outcome.name}: ${outcome.reason ?? ''}\n`);
    }
    for (const [name, cases] of refused)
      process.stdout.write(`passed: refused by design: ${name} (${cases} cases)\n`);
  }
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  return counts.failed === 0 ? 0 : 1;
};

process.exitCode = await main(process.argv.slice(2));
