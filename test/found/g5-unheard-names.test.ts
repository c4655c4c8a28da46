/**
 * Class: a question that can have no answer looks like one whose answer is "nobody". Root cause: names and paths of a query were compared
 * with what records hold and never with what they can hold.
 */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-names-'));
const dir = join(root, 'journal');
beforeAll(async () => {
  const log = await createDecisionLog(
    { journal: { dir, instance: 'test', min_free: 65_536 } },
    { logger: silentLogger },
  );
  for (let i = 0; i < 8; i++) await log.append(draft(i));
  await log.close();
  return () => rmSync(root, { recursive: true });
});

const ask = (command: string, ...argv: string[]) =>
  runCommand(['decisions', command, '--journal', dir, ...argv]);

test.each(['id_number', '', '/a//~2', '/a~', 'C:\\x', '$.phone', '/phone~'])(
  'a path that is no JSON Pointer (%j) is wrong use',
  async (path) => {
    const { code, stderr } = await ask('query', '--path', path);
    expect(code).toBe(2);
    expect(stderr).toContain('--path must be a JSON Pointer');
  },
);

test.each([
  ['--purpose', 'after_sale', 'after_sales'],
  ['--recipient', 'internals', 'internal'],
  ['--action', 'raed', 'read'],
  ['--resource', 'custmer', 'customer'],
  ['--reason', 'purpose_not_alowed', 'purpose_not_allowed'],
  ['--path', '/phnoe', '/phone'],
])(
  'a name that no decision has (%s %s) is told, with the one that was meant',
  async (option, value, meant) => {
    for (const command of ['query', 'tail']) {
      const { code, stdout, stderr } = await ask(command, option, value, '--json');
      expect(code).toBe(0);
      expect(stdout).toBe('');
      expect(stderr).toContain(`no decision of this log has ${option} ${value}; did you mean "${meant}"?`);
    }
    const exported = await ask('export', option, value);
    expect(exported.stderr).toContain(`did you mean "${meant}"?`);
  },
);

test('names that decisions have, but not together, are no warning', async () => {
  const { stdout, stderr } = await ask('query', '--purpose', 'after_sales', '--subject', 'nobody');
  expect(stdout).toBe('No decision answers that.\n');
  expect(stderr).not.toContain('no decision of this log has');
});

test.each([
  ['--outcome', 'maybe', '--outcome must be one of allowed, modified, denied, observed, error'],
  ['--outcome', 'denid', 'did you mean "denied"?'],
  ['--kind', 'grants', 'did you mean "grant"?'],
])('a name that no record can have (%s %s) is wrong use', async (option, value, said) => {
  const { code, stderr } = await ask('query', option, value);
  expect(code).toBe(2);
  expect(stderr).toContain(said);
});
