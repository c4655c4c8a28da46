/** What the commands say of record filters and of proofs that a policy demands. */
import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Copy, opa, sluice } from './support.ts';

const copy = new Copy();
afterAll(() => copy.remove());

const FILTER = `record_filters:
  south:
    title: After-sales of the south
    purposes: [after_sales]
    where:
      - { resource: customer, attribute: dated, at_least: "2026-05-30" }
      - { resource: customer, attribute: province, in: { subject: provinces } }
`;
const PROOF = `subject_verification:
  desk: { title: The desk, purposes: [claims], resources: [customer], methods: [code, case] }
`;
/** An editor, and `sluice check`, find the schema of a file by its first line. */
const header = (name: string): string =>
  `# yaml-language-server: $schema=../../schemas/policy-${name}.schema.json\n`;
const file = (name: string): string => copy.path(`data/${name}.yaml`);

describe.skipIf(opa === null)('a policy with limits', { timeout: 120_000 }, () => {
  beforeAll(() => {
    writeFileSync(file('record_filters'), header('record_filters') + FILTER);
    writeFileSync(file('subject_verification'), header('subject_verification') + PROOF);
    rmSync(copy.path('scenarios'), { recursive: true });
  });

  test('is shown by the matrix for callers who have what it asks for', async () => {
    type Row = { resource: string; purpose: string; obligations: Record<string, unknown> };
    const said = await sluice([
      'matrix',
      copy.dir,
      '--role',
      'support,adjuster',
      '--resource',
      'customer',
      '--json',
    ]);
    const { rows, denied } = said.json<{ rows: Row[]; denied: { reasons: string[] }[] }>();
    const of = (purpose: string) => rows.find((row) => row.purpose === purpose)!.obligations;
    expect(of('after_sales')['record_filter']).toHaveLength(2);
    expect(of('claims')['subject_verification']).toEqual(['case', 'code']);
    for (const { reasons } of denied)
      expect(reasons).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(record_filter|verification)/)]),
      );
  });

  test('is checked without a fault', async () => {
    const said = await sluice(['check', copy.dir]);
    expect(said.out).toContain('0 faults, 0 warnings');
  });

  test('is explained for a record that is given', async () => {
    const record = copy.path('record.json');
    const explained = async (at: string): Promise<string> => {
      writeFileSync(
        record,
        JSON.stringify({ id: 'C1', created_at: at, address: { province: 'any provinces' } }),
      );
      return (
        await sluice([
          'explain',
          '--policies',
          copy.dir,
          '--role',
          'support',
          '--purpose',
          'after_sales',
          '--record',
          record,
        ])
      ).out;
    };
    expect(await explained('2026年5月29日')).toContain('outside_record_filter');
    expect(await explained('05/06/2026')).toContain('record_filter_unreadable');
    const within = await explained('2026年5月30日');
    expect(within).not.toContain('withheld\n');
    expect(within).toContain('records_limited: Only records within the filter south.');
    rmSync(record);
  });

  test('has the faults of its data named, each with its line', async () => {
    const south = FILTER.split('\n').slice(1).join('\n');
    const changed = (name: string, from: string, to: string): string =>
      south.replace('south:', `${name}:`).replace(from, to);
    writeFileSync(
      file('record_filters'),
      `${header('record_filters')}record_filters:
${changed('a', 'attribute: dated', 'attribute: datd')}${changed('b', 'resource: customer, attribute: dated', 'resource: custmer, attribute: dated')}${changed('c', 'at_least: "2026-05-30"', 'at_least: "2026-05-30", within: P6M')}${changed('d', '2026-05-30', '2026-02-30')}${changed('e', 'purposes: [after_sales]', 'purposes: [after_sale]')}`,
    );
    const said = await sluice(['check', copy.dir]);
    expect(said.code).toBe(1);
    for (const wanted of [
      /record_filters\.yaml:\d+:\d+: fault: record_filters\.a\.where\.0\.attribute: .*"datd"; did you mean "dated"/,
      /fault: record_filters\.b\.where\.0\.resource: .*"custmer"/,
      /fault: record_filters\.c\.where\.0: .*exactly one of in, within/,
      /fault: record_filters\.d\.where\.0: /,
      /fault: record_filters\.e\.purposes\.0: .*"after_sale"/,
    ])
      expect(said.out).toMatch(wanted);
  });
});
