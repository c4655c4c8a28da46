/** Whose data a record is, however it spells that. */
import { describe, expect, test } from 'vitest';
import { subjectId } from '../../src/disclosure/subjects/id.ts';
import { answer, catalogOf, disclosed, type Setting, summaryOf, withhold } from './support.ts';

const catalog = catalogOf(
  { '/id': 'reference/1', '/owners': 'reference/1', '/v': 'reference/1', '/person': '@person' },
  { subjects: ['/id', '/owners'] },
);
const person = catalogOf({ '/id': 'reference/1' }, { resource: 'person', subjects: ['/id'] });
const setting: Setting = {
  catalog,
  catalogs: [person],
  records: '/*',
  states: { 100: { flags: ['no'] }, no: { flags: ['no'] }, '': { flags: ['no'] } },
  answer: (_resource, { flags }) =>
    flags.includes('no') ? withhold('no') : answer({ 'reference/1': 'disclose' }),
};

describe('the data subjects of a JSON record', () => {
  test.each(['100', '"100"', '100.0', '1e2', '1.0E+2', '1000e-1', '100.000'])(
    '%s is who it is by value, not by spelling',
    async (id) => {
      const body = `[{"id":${id},"v":1},{"person":{"id":${id}},"id":1}]`;
      expect(await disclosed(body, setting)).toBe('[{"id":1}]');
    },
  );

  test.each(['100.5', '1000', '-100', '"100.0"', '10e2'])('%s is somebody else', async (id) => {
    expect(await disclosed(`[{"id":${id}}]`, setting)).toBe(`[{"id":${id}}]`);
  });

  test.each(['null', '""', '{"id":"A"}', 'true', '[]', '[null,""]'])('%s names nobody', async (id) => {
    expect(await summaryOf(`[{"id":${id},"v":1}]`, setting)).toMatchObject({
      records: 0,
      withheld_reasons: { data_subject_unknown: 1 },
    });
    // nor does it hide that another one is named
    expect(await disclosed(`[{"owners":"A","id":${id},"v":1}]`, setting)).toContain('"owners":"A"');
  });

  test('a list of ids names each of them', async () => {
    for (const owners of ['["no"]', '["A","no"]', '["A",["B",["no"]]]', '[100.0]', '["A",{"x":1},"no"]']) {
      expect(await disclosed(`[{"id":"A","owners":${owners}}]`, setting)).toBe('[]');
      expect(await disclosed(`[{"owners":${owners}}]`, setting)).toBe('[]');
    }
    const body = '[{"owners":["A", "B"],"v":1},{"id":"A","owners":[ ]}]';
    expect(await disclosed(body, setting)).toBe(body);
    expect((await summaryOf(body, setting)).data_subjects).toHaveLength(2);
    // what is in an object there is nobody's id
    expect(await disclosed('[{"id":"A","owners":[{"id":"no"}],"v":1}]', setting)).toBe(
      '[{"id":"A","owners":[],"v":1}]',
    );
  });
});

test('a number is an id by its value', () => {
  const id = (text: string) => subjectId({ kind: 'number', text });
  expect(id('-0')).toBe('0');
  expect(id('0.000')).toBe('0');
  expect(id('0e99')).toBe('0');
  expect(id('-1.50e1')).toBe('-15');
  expect(id('9007199254740993.0')).toBe('9007199254740993');
  expect(id('88004406228646301258')).toBe('88004406228646301258');
  expect(id('1e63')).toBe(`1${'0'.repeat(63)}`);
  for (const kept of ['1e64', '1e400', '1e999999999', '0.5', '1e-1']) expect(id(kept)).toBe(kept);
});
