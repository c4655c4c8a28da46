/** What the data files propose and do not switch on: the lines work as they stand, and scenarios try exactly these. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { Copy, opa, ROOT, sluice } from '../cli/support.ts';

vi.setConfig({ testTimeout: 120_000 });

const PROPOSED = {
  record_filters: 'record_filters',
  retention: 'retention',
  subject_verification: 'verification',
} as const;
const names = Object.keys(PROPOSED) as (keyof typeof PROPOSED)[];
const textOf = (path: string): string => readFileSync(join(ROOT, 'policies', path), 'utf8');

/** As the comment in the file says: without "# " before the lines, and without the empty mapping. */
function switchedOn(name: string): string {
  const text = textOf(`data/${name}.yaml`).replace(`\n${name}: {}\n`, '\n');
  const from = text.indexOf(`# ${name}:\n`);
  expect(from).toBeGreaterThan(0);
  return text.slice(0, from) + text.slice(from).replaceAll(/^# /gm, '');
}

test.each(names)('the scenarios try what data/%s.yaml proposes', (name) => {
  const scenarios = parse(textOf(`scenarios/${PROPOSED[name]}.yaml`)) as { readonly data: unknown };
  expect(parse(switchedOn(name))).toEqual(scenarios.data);
});

test.each(names)('nothing of data/%s.yaml is in force', (name) => {
  expect(parse(textOf(`data/${name}.yaml`))).toEqual({ [name]: {} });
});

describe.skipIf(opa === null)('a policy with all of it switched on', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-proposals-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const policy = new Copy(join(ROOT, 'policies'), join(dir, 'policies'));
  for (const name of names) policy.write(`data/${name}.yaml`, switchedOn(name));

  test('passes the check, and is formatted', async () => {
    const check = await sluice(['check', '--json', 'policies'], { cwd: dir });
    expect(JSON.parse(check.out)).toMatchObject({ faults: 0, warnings: 0 });
    expect((await sluice(['fmt', '--check', 'policies'], { cwd: dir })).code).toBe(0);
  });
});
