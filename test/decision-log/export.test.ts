/** `sluice decisions export` in formats of others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { opaEvent } from '../../src/decision-log/sinks/opa-event.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { openJournal, recordsOf, temporaryDirectory, writeJournal } from '../support/journals.ts';

const exportOf = async (dir: string, ...more: string[]): Promise<string> => {
  const { code, stdout } = await runCommand(['decisions', 'export', '--journal', dir, ...more]);
  expect(code).toBe(0);
  return stdout;
};
const parsed = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/**
 * What schema 1.4.0 requires of API Activity with the profile security_control: https://schema.ocsf.io/1.4.0/classes/api_activity, and the objects
 * that it names; `|` separates members of which one must be there.
 */
const REQUIRED = [
  ...['activity_id', 'category_uid', 'class_uid', 'type_uid', 'time', 'severity_id', 'metadata'],
  ...['metadata.version', 'metadata.product', 'metadata.product.vendor_name', 'metadata.product.name'],
  ...['actor', 'actor.user|actor.app_name|actor.process|actor.session', 'api', 'api.operation'],
  ...['src_endpoint', 'src_endpoint.ip|src_endpoint.svc_name|src_endpoint.name|src_endpoint.hostname'],
];
const at = (event: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)?.[name], event);

test('OCSF events have what API Activity requires, and lose nothing of the record', async () => {
  const dir = temporaryDirectory();
  const journal = await openJournal(dir);
  const actions = ['read', 'search', 'export', 'create', 'update', 'delete', 'consents.set'];
  const outcomes = ['allowed', 'modified', 'denied', 'observed', 'error'] as const;
  for (const [i, action] of actions.entries())
    await journal.append(draft(i, { action: action as 'read', outcome: outcomes[i % 5]! }));
  await journal.append(
    draft(7, { subject: null, request: null, response: null, resource: null, policy: null, action: null }),
  );
  await journal.close();
  const events = parsed(await exportOf(dir, '--format', 'ocsf'));
  const records = recordsOf(dir);
  expect(events).toHaveLength(8);
  for (const [i, event] of events.entries()) {
    for (const paths of REQUIRED)
      expect([paths, paths.split('|').some((path) => at(event, path) !== undefined)]).toEqual([paths, true]);
    const { activity_id, class_uid, type_uid, time, unmapped, metadata } = event as Record<string, never>;
    expect([class_uid, type_uid]).toEqual([6003, 600_300 + Number(activity_id)]);
    const record = records[i]!;
    expect(time).toBe(Date.parse(record.timestamp));
    const { decision_id, timestamp: _, policy: __, origin, seq, ...rest } = record;
    expect(metadata).toMatchObject({
      version: '1.4.0',
      correlation_uid: decision_id,
      log_name: origin,
      sequence: seq,
    });
    expect(unmapped).toEqual(rest);
  }
  expect(events.map(({ activity_id }) => activity_id)).toEqual([2, 2, 2, 1, 3, 4, 99, 99]);
  expect(events.slice(0, 5).map(({ action_id }) => action_id)).toEqual([1, 4, 2, 3, 99]);
});

test('events of OPA are those that the HTTP sink sends', async () => {
  const dir = temporaryDirectory();
  await writeJournal(dir, 3);
  const events = parsed(await exportOf(dir, '--format', 'opa'));
  expect(events).toEqual(recordsOf(dir).map((record) => JSON.parse(JSON.stringify(opaEvent(record, {})))));
});

test('a file whose name ends with .gz is compressed, and verifies', async () => {
  const [dir, cwd] = [temporaryDirectory(), temporaryDirectory()];
  await writeJournal(dir, 30);
  const plain = await exportOf(dir);
  const run = (...more: string[]) => runCommand(['decisions', ...more, '--journal', dir], { cwd });
  expect(await run('export', '-o', 'records.ndjson.gz')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/\n30 records written to records\.ndjson\.gz\n$/) as string,
  });
  expect(gunzipSync(readFileSync(join(cwd, 'records.ndjson.gz'))).toString()).toBe(plain);
  expect(await run('verify', 'records.ndjson.gz')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('30 records: intact'),
  });
  for (const name of ['records.ndjson.gz', join('missing', 'x.csv')])
    expect(await run('export', '-o', name)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--out cannot be written'),
    });
  expect(await run('export', '--format', 'xml')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ndjson, csv, ocsf, opa or bundle'),
  });
});
