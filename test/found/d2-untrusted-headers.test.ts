/**
 * Class: the header of a table is believed. Root cause: a column was the field of its name, however many columns had that name, however
 * the name came about, and some names could not be written in a catalog at all, so that their tables had to go by position.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { responseFault } from '../../src/disclosure/response-check.ts';
import { escapeToken, parsePointer } from '../../src/disclosure/fields/pointer.ts';
import { catalogFault } from '../../src/model/pointer-faults.ts';
import { disclose, refusal } from '../disclosure/formats/support.ts';

const csv = (fields: Record<string, string>, options: Record<string, unknown> = {}) =>
  ({ format: 'csv', fields, options, answer: { '*': 'disclose' } }) as const;

describe('two columns of one name', () => {
  test.each([
    ['an undecodable name', '#,????,????', { '/#': 'reference/1', '/????': 'contact/3' }, '2,,'],
    ['a name in quotes and without', 'id,tel,"tel"', { '/id': 'reference/1', '/tel': 'contact/3' }, '2,,'],
    ['a name that only * covers', 'id,x,x', { '/id': 'reference/1', '/*': 'contact/3' }, '2,,'],
    [
      'names that the catalog also has by position',
      'id,tel,tel',
      { '/#1': 'x/1', '/#2': 'x/1', '/tel': 'x/1' },
      '2,,',
    ],
  ])('lose both their values: %s', async (_, header, fields, row) => {
    const { text } = await disclose(`${header}\n2,+1 415-555-2671,BANKACCOUNT-9\n`, csv(fields));
    expect(text.split('\n')[1]).toBe(row);
  });

  test('are told apart by their position where the catalog has no line for the name', async () => {
    const c = csv({ '/#1': 'reference/1', '/#3': 'x/1' });
    expect((await disclose('?,??,??\n1,secret,open\n', c)).text).toBe(',,\n1,,open\n');
  });

  test('name no data subject, so that their rows are withheld', async () => {
    const c = { ...csv({ '/id': 'reference/1', '/x': 'x/1' }), subject: '/id' };
    const { text, summary } = await disclose('id,id,x\nC1,C2,open\n', c);
    expect(text).not.toContain('open');
    expect(summary[0]!.records_withheld).toBe(1);
  });

  test('refuse the table where the policy goes by their value', async () => {
    const c = { ...csv({ '/id': 'reference/1', '/vip': 'x/1' }), attributes: { vip: '/vip' } };
    expect(await refusal('id,vip,vip\n1,yes,yes\n', c)).toBe('response_malformed');
  });

  test('are one where blanks around names are ignored', async () => {
    const c = csv({ '/id': 'reference/1', '/tel': 'x/1' }, { trim: true });
    expect((await disclose('id, tel ,tel\n1,a,b\n', c)).text.split('\n')[1]).toBe('1,,');
  });
});

describe('a header that the route names exactly', () => {
  const exact = csv(
    { '/id': 'reference/1', '/tel': 'x/1', '/#3': 'x/1' },
    { header: { exact: ['id', 'tel', 'Note'] } },
  );

  test('leaves as it is, with the names that the catalog does not know', async () => {
    expect((await disclose('id,"tel",Note\n1,a,b\n', exact)).text).toBe('id,"tel",Note\n1,a,b\n');
  });

  test.each([
    ['a new column', 'id,tel,Note,secret\n1,a,b,c\n'],
    ['a new column in the middle', 'id,secret,tel,Note\n1,a,b,c\n'],
    ['a column less', 'id,tel\n1,a\n'],
    ['columns in another order', 'id,Note,tel\n1,a,b\n'],
    ['a padded name', 'id, tel,Note\n1,a,b\n'],
    ['a forgotten header', '1,a,b\n'],
  ])('refuses the table of %s', async (_, body) => {
    expect(await refusal(body, exact)).toBe('response_malformed');
  });

  test('takes padded names where the route ignores blanks', async () => {
    const c = { ...exact, options: { ...exact.options, trim: true } };
    expect((await disclose('id , tel,\tNote\n1,a,b\n', c)).text).toBe('id , tel,\tNote\n1,a,b\n');
  });

  test.each([
    [{ header: { exact: [] } }],
    [{ header: { exact: 'id' } }],
    [{ header: { exactly: ['id'] } }],
    [{ header: 'exact' }],
    [{ trim: 'yes' }],
    [{ null: '' }],
    [{ null: 'a,b' }],
  ])('is checked at the start: %j', (options) => {
    expect(responseFault({ format: 'csv', options })?.key).toBe('options');
  });
});

describe('a name of a column', () => {
  test('can be written in a catalog whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.constantFrom(
            '#',
            '#3',
            '#1',
            '[',
            ']',
            '[a=b]',
            '[a=b',
            '*',
            '**',
            '@',
            '',
            '~',
            '~2',
            '/',
            '~2#1',
            '0',
            '..',
          ),
          fc.string({ unit: 'grapheme', maxLength: 6 }),
        ),
        async (name) => {
          const pointer = `/~2${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
          expect(catalogFault(pointer)).toBeNull();
          const quoted = `"${name.replaceAll('"', '""')}"`;
          const { text } = await disclose(`id,${quoted},other\n1,open,CANARY\n`, csv({ [pointer]: 'x/1' }));
          if (name === 'id' || name === 'other') return;
          expect(text).toContain('open');
          expect(text).not.toContain('CANARY');
        },
      ),
    );
  });

  test('is not taken for a position because it looks like one', async () => {
    const c = csv({ '/#2': 'x/1' });
    expect((await disclose('#2,b\nCANARY,open\n', c)).text).toBe(',\n,open\n');
    expect((await disclose('#2,b\nopen,CANARY\n', csv({ '/~2#2': 'x/1' }))).text).toBe('#2,\nopen,\n');
  });

  test('is told in a spelling that is read as the same name', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const [step] = parsePointer(`/${escapeToken(name)}`);
        expect(step).toEqual({ kind: 'name', name });
      }),
    );
  });
});

describe('the null of a table', () => {
  const options = { quote: '"', escape: '\\', null: '\\N' };
  const tsv = (does: 'mask' | 'nullify' | 'drop' | 'disclose') =>
    ({
      format: 'tsv',
      options,
      fields: { '/id': 'reference/1', '/tel': { category: 'contact', grade: 3, mask: 'phone' } },
      answer: { 'reference/1': 'disclose', 'contact/3': does },
    }) as const;
  const body = 'id\ttel\n1\t\\N\n2\t13812345678\n3\t\n4\t"\\N"\n';

  test('is left alone by a mask', async () => {
    const { text } = await disclose(body, tsv('mask'));
    expect(text.split('\n').slice(0, 4)).toEqual(['id\ttel', '1\t\\N', '2\t138****5678', '3\t']);
  });

  test('is what nullify writes, and drop empties', async () => {
    expect((await disclose(body, tsv('nullify'))).text).toBe('id\ttel\n1\t\\N\n2\t\\N\n3\t\\N\n4\t\\N\n');
    expect((await disclose(body, tsv('drop'))).text).toBe('id\ttel\n1\t\n2\t\n3\t\n4\t\n');
  });

  test('is no text, no data subject and no attribute', async () => {
    const c = { ...tsv('disclose'), subject: '/tel', attributes: { tel: '/tel' } };
    const { text, asked } = await disclose('id\ttel\n1\t\\N\n2\t5\n', c);
    expect(text).toBe('id\ttel\n2\t5\n');
    expect(asked.some(({ tel }) => tel === 'N' || tel === '\\N')).toBe(false);
  });
});
