/**
 * What narrows an imported consent, or makes it a refusal, is read, or the line is rejected: it is neither dropped nor replaced by a default. Found
 * with valid but unusual FHIR and JSON-LD, misspelled columns, and files of another charset.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import iconv from 'iconv-lite';
import { afterAll, describe, expect, test } from 'vitest';
import { type ImportFormat, type Item, read } from '../../src/cli/consent/read.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-imports-'));
afterAll(() => rmSync(dir, { recursive: true }));

async function imported(
  content: string | Buffer,
  format: ImportFormat,
  charset = 'utf-8',
): Promise<readonly Item[]> {
  const path = join(dir, 'file');
  writeFileSync(path, content);
  const items: Item[] = [];
  const options = { format, charset, map: new Map(), now: new Date('2026-12-01'), progress: () => {} };
  for await (const item of read(path, options)) items.push(item);
  return items;
}
const one = async (value: unknown, format: ImportFormat): Promise<Item> =>
  (await imported(JSON.stringify(value), format))[0]!;
const reason = (text: string) => ({ line: 1, reason: expect.stringContaining(text) as string });
const said = (consent: object) => ({ line: 1, statements: [expect.objectContaining(consent)] });

describe('FHIR', () => {
  const coded = (code: string) => [{ coding: [{ code }] }];
  const permit = { purpose: [{ code: 'marketing' }], class: [{ code: 'contact' }] };
  const consent = {
    resourceType: 'Consent',
    status: 'active',
    patient: { reference: 'Patient/C1' },
    dateTime: '2026-01-01',
    provision: permit,
  };

  test.each<[string, object, string]>([
    ['a category without a code', { provision: { ...permit, class: [{ display: 'Contact' }] } }, 'class'],
    [
      'a purpose without a code',
      { provision: { ...permit, purpose: [{ code: 'marketing' }, {}] } },
      'purpose',
    ],
    [
      'a recipient that is named by its display alone',
      { provision: { ...permit, actor: [{ reference: { display: 'Acme' } }] } },
      'actor',
    ],
    ['codes of data', { provision: { ...permit, code: coded('phone') } }, 'provision.code'],
    [
      'a time of the data',
      { provision: { ...permit, dataPeriod: { end: '2020-01-01' } } },
      'provision.dataPeriod',
    ],
    ['single data', { provision: { ...permit, data: [{ meaning: 'instance' }] } }, 'provision.data'],
    ['labels', { provision: { ...permit, securityLabel: [{ code: 'N' }] } }, 'provision.securityLabel'],
    ['actions', { provision: { ...permit, action: coded('collect') } }, 'provision.action'],
    ['a misspelled type', { provision: { ...permit, type: 'Deny' } }, 'type'],
    ['an opt-in with restrictions', { policyRule: coded('OPTINR')[0] }, 'policyRule'],
    [
      'a permission against an opt-out',
      { policyRule: coded('OPTOUT')[0], provision: { ...permit, type: 'permit' } },
      'policyRule',
    ],
    ['a modifier', { modifierExtension: [{ url: 'urn:not' }] }, 'modifierExtension'],
    [
      'a modifier of the provision',
      { provision: { ...permit, modifierExtension: [{}] } },
      'modifierExtension',
    ],
    ['rules that it follows', { implicitRules: 'urn:rules' }, 'implicitRules'],
    ['a contained patient', { patient: { reference: '#p1' } }, 'data_subject'],
    ['a search for the patient', { patient: { reference: 'Patient?identifier=x/C2' } }, 'data_subject'],
    ['a provision of null', { provision: null }, 'provision'],
    ['a purpose that is no list', { provision: { ...permit, purpose: { code: 'marketing' } } }, 'purpose'],
  ])('rejects a Consent with %s', async (_, more, text) => {
    expect(await one({ ...consent, ...more }, 'fhir')).toEqual(reason(text));
  });

  test('rejects a Bundle whose entries are no list, and goes on', async () => {
    const lines = [{ resourceType: 'Bundle', entry: {} }, consent].map((v) => JSON.stringify(v)).join('\n');
    expect(await imported(lines, 'fhir')).toEqual([
      reason('entry'),
      { line: 2, statements: [expect.objectContaining({ data_subject: 'C1' })] },
    ]);
  });

  test('a version of the patient is the same patient', async () => {
    const patient = { reference: 'https://ehr.example/fhir/Patient/C1/_history/7' };
    expect(await one({ ...consent, patient }, 'fhir')).toEqual(said({ data_subject: 'C1' }));
  });

  test.each([
    [{ policyRule: coded('OPTOUT')[0] }, 'withdrawn'],
    [{ policyRule: coded('OPTIN')[0] }, 'given'],
    [{ provision: { ...permit, type: 'deny', code: coded('phone') } }, 'withdrawn'],
  ])('%j is %s', async (more, status) => {
    const item = await one({ ...consent, ...more }, 'fhir');
    expect(item).toEqual(said({ consent: expect.objectContaining({ status }) as object }));
  });
});

describe('JSON-LD', () => {
  const record = {
    'dpv:hasDataSubject': 'C1',
    'dpv:hasPurpose': 'marketing',
    'dpv:hasPersonalData': ['contact'],
    'dpv:hasConsentStatus': 'dpv:ConsentGiven',
    'dct:date': '2026-01-01',
  };
  test.each<[string, object, string]>([
    [
      'two states',
      { 'dpv:hasConsentStatus': ['dpv:ConsentGiven', 'dpv:ConsentWithdrawn'] },
      'hasConsentStatus',
    ],
    ['two people', { 'dpv:hasDataSubject': ['C1', 'C2'] }, 'hasDataSubject'],
    ['a recipient without an address', { 'dpv:hasRecipient': { 'dpv:hasName': 'Swift' } }, 'hasRecipient'],
    ['an end that cannot be read', { 'dpv:hasExpiry': { 'time:inXSDDate': '2026-02-01' } }, 'hasExpiry'],
    ['an end by another name', { 'dpv:hasExpiryTime': '2026-02-01' }, 'hasExpiryTime'],
    ['a duration', { 'dpv:hasDuration': 'P1M' }, 'hasDuration'],
    [
      'a category that cannot be read',
      { 'dpv:hasPersonalData': ['contact', { label: 'health' }] },
      'hasPersonalData',
    ],
    [
      'one term in two spellings',
      { 'https://w3id.org/dpv#hasExpiry': '2030-01-01', 'dpv:hasExpiry': '2026-02-01' },
      'hasExpiry',
    ],
  ])('rejects a record with %s', async (_, more, text) => {
    expect(await one({ ...record, ...more }, 'dpv')).toEqual(reason(text));
  });
});

describe('CSV and NDJSON', () => {
  const row = {
    data_subject: '王小明',
    purpose: 'delivery',
    categories: 'contact',
    status: 'given',
    at: '2026-01-01',
  };
  const csv = (columns: object): string =>
    `${Object.keys(columns).join(',')}\n${Object.values(columns).join(',')}\n`;
  const charsets = ['utf-8', 'gb18030', 'utf-16le'];

  test.each(['recipent', 'untill', 'Until'])('refuses a file with the unknown column %s', async (column) => {
    await expect(imported(csv({ ...row, [column]: '2026-02-01' }), 'csv')).rejects.toThrow(`"${column}"`);
    expect(await one({ ...row, [column]: '2026-02-01' }, 'ndjson')).toEqual(reason(`"${column}"`));
  });

  test('refuses a file with a column twice', async () => {
    await expect(imported('data_subject,until,until\nC1,2026-02-01,\n', 'csv')).rejects.toThrow('"until"');
  });

  test('rejects a list with something that is no name in it', async () => {
    expect(await one({ ...row, categories: ['contact', 5] }, 'ndjson')).toEqual(reason('categories'));
  });

  test.each(charsets)(
    'reads %s with and without a byte order mark, and nothing by another name',
    async (charset) => {
      const texts = { csv: csv(row), ndjson: `${JSON.stringify(row)}\n`, dpv: '' } as const;
      for (const format of ['csv', 'ndjson'] as const)
        for (const mark of ['', '\ufeff']) {
          const bytes = iconv.encode(mark + texts[format], charset, { addBOM: false });
          const [item] = await imported(bytes, format, charset);
          expect(item).toMatchObject({ statements: [{ data_subject: '王小明' }] });
          if (charset !== 'utf-8') await expect(imported(bytes, format)).rejects.toThrow('--charset');
        }
    },
  );

  test('rejects a line with the trace of a failed conversion', async () => {
    expect(await one({ ...row, data_subject: '\ufffd小明' }, 'ndjson')).toEqual(reason('U+FFFD'));
  });
});
