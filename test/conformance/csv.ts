/** csv-spectrum: `csvs/*.csv`, and what each means as `json/*.json`. Read by the lexer that discloses, cut at every third byte. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Automaton } from '../../src/disclosure/fields/automaton.ts';
import { UTF8 } from '../../src/disclosure/formats/shared/charsets.ts';
import { CsvLexer, type Dialect, type Row } from '../../src/disclosure/formats/csv/lexer.ts';
import { Table } from '../../src/disclosure/formats/csv/table.ts';
import type { Outcome, Runner } from './outcome.ts';

const DIALECT: Dialect = { separator: 0x2c, quote: 0x22, escape: null };
const NO_CATALOG = { resource: 'none', data_subject: [], attributes: {}, fields: {}, envelope: {} };

/** Faults of the suite itself: compared but for the column named. */
const DEFECTS: Readonly<Record<string, { column: string; reason: string }>> = {
  'location_coordinates.csv': {
    column: 'Contact Phone Number',
    reason: 'the suite’s JSON has another telephone number than its CSV (every other column was compared)',
  },
};

export const csv: Runner = {
  name: 'csv-spectrum',
  accepts: async (folder) => existsSync(join(folder, 'csvs')) && existsSync(join(folder, 'json')),
  async *run(folder) {
    for (const name of readdirSync(join(folder, 'csvs')).sort())
      yield judge(
        name,
        readFileSync(join(folder, 'csvs', name)),
        join(folder, 'json', name.replace(/\.csv$/, '.json')),
      );
  },
};

function judge(name: string, body: Buffer, meaning: string): Outcome {
  if (!existsSync(meaning)) return { name, status: 'skipped', reason: 'no JSON says what it means' };
  const defect = DEFECTS[name];
  const want = without([JSON.parse(readFileSync(meaning, 'utf8'))].flat(), defect?.column);
  const found = read(body);
  if (!isDeepStrictEqual(without(found.records, defect?.column), want))
    return { name, status: 'failed', reason: 'its cells are not what its JSON says' };
  if (!found.bytes.equals(body))
    return { name, status: 'failed', reason: 'its rows do not add up to its bytes' };
  return defect === undefined
    ? { name, status: 'passed' }
    : { name, status: 'skipped', reason: defect.reason };
}

function without(records: readonly object[], column: string | undefined): object[] {
  return records.map((r) => Object.fromEntries(Object.entries(r).filter(([name]) => name !== column)));
}

function read(body: Buffer): { records: object[]; bytes: Buffer } {
  const lexer = new CsvLexer(DIALECT, UTF8, { record_bytes: 1 << 20 });
  const table = new Table(DIALECT, UTF8, new Automaton(NO_CATALOG, new Map()));
  const rows: (string | null)[][] = [];
  const bytes: Uint8Array[] = [];
  const take = (row: Row): void => {
    rows.push(Array.from({ length: row.count }, (_, k) => table.text(row, k)));
    bytes.push(row.bytes.slice(row.start, row.end));
  };
  for (let at = 0; at < body.length; at += 3) lexer.push(body.subarray(at, at + 3), take);
  lexer.end(take);
  const [header = [], ...records] = rows;
  return {
    records: records.map((row) => Object.fromEntries(header.map((name, k) => [name, row[k]]))),
    bytes: Buffer.concat(bytes),
  };
}
