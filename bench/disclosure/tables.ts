/** The same for tables: customers as a CRM exports them, as the default policy has a support agent see them. */
import { parse as parseCsv } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { ProgramRun, type UnknownPaths } from '../../src/disclosure/session/counter.ts';
import { Automaton } from '../../src/disclosure/fields/automaton.ts';
import { compileEnvelope } from '../../src/disclosure/fields/envelope.ts';
import { csv } from '../../src/disclosure/formats/csv/reader.ts';
import { DEFAULT_LIMITS } from '../../src/disclosure/limits.ts';
import { instruct } from '../../src/disclosure/fields/program.ts';
import { TREATMENT_FILES } from '../../src/disclosure/treatments/registry.ts';
import type { Treat } from '../../src/disclosure/treatments/treatment.ts';
import type { DisclosureAnswer } from '../../src/model/answers.ts';
import { type Catalog, classOf, type FieldEntry } from '../../src/model/catalog.ts';
import { type Contestant, spliced } from './contestants.ts';
import { field, keys, plan as jsonPlan, says, stage } from './plan.ts';
import { customer, seeded } from './records.ts';

const FIELDS: { readonly [column: string]: FieldEntry } = {
  id: field('reference', 1),
  name: field('identity', 3, { mask: 'person_name' }),
  id_number: field('identity', 4, { mask: 'national_id' }),
  gender: field('identity', 3, { mask: 'generic' }),
  birth_date: field('identity', 3, { mask: 'generic' }),
  phone: field('contact', 3, { mask: 'phone' }),
  email: field('contact', 3, { mask: 'email' }),
  bank_card: field('financial', 4, { mask: 'bank_card' }),
  notes: field('free_text', 3),
  vip: field('transaction', 2),
  created_at: field('transaction', 2),
};
const COLUMNS = Object.keys(FIELDS);

const catalog: Catalog = {
  resource: 'customer',
  data_subject: ['/id'],
  attributes: { vip: '/vip' },
  fields: Object.fromEntries(COLUMNS.map((column) => [`/${column}`, FIELDS[column]!])),
  envelope: {},
};

const answer: DisclosureAnswer = {
  disclose: true,
  reasons: [],
  classes: {
    'reference/1': says('disclose'),
    'transaction/2': says('disclose'),
    'identity/3': says('mask'),
    'identity/4': says('mask'),
    'contact/3': says('mask'),
    'financial/4': says('mask'),
    'free_text/3': says('scrub'),
  },
  fields: {},
};

/** a table of about this many bytes, rows of about 190 */
export function table(bytes: number): Buffer {
  const random = seeded(1);
  const rows: string[] = [`${COLUMNS.join(',')}\r\n`];
  let size = 0;
  for (let n = 0; size < bytes; n++) {
    const record = customer(n, random);
    const cells = COLUMNS.map((column) =>
      column === 'notes' ? `"来电, ""回拨"" ${String(record['phone'])}"` : String(record[column]),
    );
    rows.push(`${cells.join(',')}\r\n`);
    size += Buffer.byteLength(rows[n + 1]!);
  }
  return Buffer.from(rows.join(''));
}

const treatments = {
  byName: new Map(TREATMENT_FILES.map((treatment) => [treatment.name as string, treatment])),
  context: { recipient: jsonPlan.recipient, purpose: jsonPlan.purpose, keys },
};
const automaton = new Automaton(catalog, new Map());
const instructions = instruct(automaton, 0, [answer], treatments);
const envelope = compileEnvelope(catalog, null);

/** reader and writer of rows as the stage uses them; nobody is asked and no summary is made */
export const spliceTable: Contestant = spliced(() => ({
  reader: csv.open({ matcher: automaton, envelope, charset: '', options: {}, limits: DEFAULT_LIMITS }),
  matcher: automaton,
  running: (unknown: UnknownPaths) => ProgramRun.of(instructions, unknown),
}));

const plan = {
  ...jsonPlan,
  format: 'csv' as const,
  catalog,
  catalogs: new Map([['customer', catalog]]),
  records: null,
  ask: () => answer,
};

export const wholeTable: Contestant = async (chunks) => {
  const left: Uint8Array[] = [];
  for await (const part of stage.disclose(each(chunks), plan)) left.push(...part.chunks);
  return Buffer.concat(left);
};

async function* each(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

const rules = new Map<string, Treat | 'keep'>(
  COLUMNS.map((column) => {
    const entry = FIELDS[column]!;
    const choice = answer.classes[classOf(entry)]!;
    if (choice.do === 'disclose') return [column, 'keep'];
    return [column, treatments.byName.get(choice.do)!.prepare(entry, choice, treatments.context)];
  }),
);

/** csv-parse → the same treatments → csv-stringify, the whole body at once */
export const parseTable: Contestant = async (chunks) => {
  const rows = parseCsv(Buffer.concat(chunks), { columns: true }) as { [column: string]: string }[];
  for (const row of rows)
    for (const [column, rule] of rules) {
      if (rule === 'keep') continue;
      const treated = rule({ kind: 'string', text: row[column]! });
      row[column] = treated === 'drop' || treated.kind === 'null' ? '' : treated.text;
    }
  return Buffer.from(stringify(rows, { header: true, columns: COLUMNS, record_delimiter: 'windows' }));
};

/** a body as those who read it see it */
export const readTable = (body: Buffer): string => JSON.stringify(parseCsv(body));
