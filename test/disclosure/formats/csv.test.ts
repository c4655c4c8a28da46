import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { charset } from '../../../src/disclosure/formats/shared/charsets.ts';
import { type Case, cutting, disclose, refusal } from './support.ts';

const phone = { category: 'contact', grade: 3, mask: 'phone' };
const USERS: Case = {
  format: 'csv',
  records: '/*',
  subject: '/id',
  attributes: { vip: '/vip' },
  fields: {
    '/id': 'reference/1',
    '/姓名': { category: 'identity', grade: 3, mask: 'person_name' },
    '/phone': phone,
    '/vip': 'reference/1',
    '/note': 'free/3',
  },
};
const MASKED = { '*': 'disclose', 'contact/3': 'mask', 'identity/3': 'mask', 'free/3': 'drop' } as const;
const BODY =
  'id,姓名,phone,vip,note,secret\r\nC1,"王小明", 13812345678,1,"a ""b""\r\nc",x\r\nC2,李,,0,=1+1,"y"\r\n';

describe('a table', () => {
  test('keeps the places of its cells, and the bytes of what is disclosed', async () => {
    const { text } = await disclose(BODY, { ...USERS, answer: { ...MASKED, 'contact/3': 'drop' } });
    expect(text).toBe('id,姓名,phone,vip,note,\r\nC1,"王**",,1,,\r\nC2,*,,0,,\r\n');
  });

  test('is the very bytes where all is disclosed, formulas and all', async () => {
    const c = { ...USERS, fields: { ...USERS.fields, '/secret': 'x/1' }, cuts: [1, 7, 30, 31, 32] };
    expect((await disclose(BODY, c)).text).toBe(BODY);
  });

  test('gives the policy what the catalog names', async () => {
    expect((await disclose(BODY, USERS)).asked).toEqual([
      { vip: '1', flags: ['C1'] },
      { vip: '0', flags: ['C2'] },
    ]);
  });

  test('loses the whole row of a record that is withheld', async () => {
    const { text, summary } = await disclose(BODY, { ...USERS, withhold: ['C1'] });
    expect(text).toBe('id,姓名,phone,vip,note,\r\nC2,李,,0,=1+1,\r\n');
    expect(summary.reduce((n, s) => n + s.records_withheld, 0)).toBe(1);
  });

  test('names unknown columns by position only', async () => {
    const { summary } = await disclose(BODY, USERS);
    expect(summary.flatMap((s) => s.withheld.map((w) => `${w.path} ${w.count}`))).toEqual(['/#6 2']);
  });

  test('keeps blank lines where they are', async () => {
    const body = '\nid,vip\n\nC1,1\n\n\nC2,2';
    expect((await disclose(body, USERS)).text).toBe(body);
  });

  test('writes an empty cell as a cell where it is alone', async () => {
    expect(
      (await disclose('phone\n1\n', { ...USERS, dataSubject: 'C1', answer: { '*': 'drop' } })).text,
    ).toBe('phone\n""\n');
  });
});

describe('Excel’s first line', () => {
  const answer = { ...MASKED, 'contact/3': 'drop' } as const;
  const rows = 'id;姓名;phone\r\nC1;王小明;13812345678\r\n';
  const left = 'id;姓名;phone\r\nC1;王**;\r\n';

  test.each(['sep=;\r\n', 'SEP=;\n', '"sep=;"\r\n', '\ufeffsep=;\r\n'])(
    'names the separator and stays: %j',
    async (line) => {
      for (const cuts of [[], [1, 2, 3, 4, 5, 6, 7, 8, 9, 12]])
        expect((await disclose(line + rows, { ...USERS, answer, cuts })).text).toBe(line + left);
    },
  );

  test('is read in UTF-16 too', async () => {
    const body = charset('utf-16le').encode(`\ufeff"sep=;"\r\n${rows}`);
    const { bytes } = await disclose(body, { ...USERS, answer });
    expect(charset('utf-16le').decode(bytes)).toBe(`\ufeff"sep=;"\r\n${left}`);
  });

  test('does not overrule the route', async () => {
    const options = { separator: ';' };
    const { text } = await disclose(`sep=,\r\n${rows}`, { ...USERS, answer, options });
    expect(text).toBe(`sep=,\r\n${left}`);
  });

  test('is a body of its own', async () => {
    for (const body of ['sep=;', 'sep=;\r\n']) expect((await disclose(body, USERS)).text).toBe(body);
  });

  test.each(['sep=a\n', 'sep=;;\n', 'sep=\n', 'sep="\n', 'sep=;x\n', ' sep=;\n', 'sep=；\n', 'sep=\0\n'])(
    'is a header like any other if it is %j',
    async (line) => {
      const body = `${line}C1,13812345678\n`;
      expect((await disclose(body, { ...USERS, dataSubject: 'C1' })).text).not.toContain('13812345678');
      expect((await disclose(body, { ...USERS, dataSubject: 'C1' })).text).not.toContain('sep');
    },
  );

  test('is a row where there is no header', async () => {
    const c: Case = {
      format: 'csv',
      fields: { '/#1': 'x/1', '/#2': 'x/5' },
      answer: { 'x/1': 'disclose', 'x/5': 'drop' },
      options: { header: false, ragged: 'keep' },
    };
    expect((await disclose('sep=|,1\na|b,2\n', c)).text).toBe('sep=|,\na|b,\n');
    expect((await disclose('sep=|\nC1,secret\n', c)).text).toBe('sep=|\nC1,\n');
  });
});

describe('a table that is cut at another separator than the route says', () => {
  const c: Case = {
    format: 'csv',
    fields: { '/#1': 'reference/1', '/#2': 'x/1', '/#3': phone },
    answer: { '*': 'disclose', 'contact/3': 'drop' },
    options: { header: false },
  };
  test('has all of a row in its first column, and leaves nothing of it', async () => {
    const { text, summary } = await disclose('C1;x;13812345678\nC2;y;13900000000\n', c);
    expect(text).toBe('\n\n');
    expect(summary[0]?.released).toEqual([]);
    expect((await disclose('C1,x,13812345678\n', c)).text).toBe('C1,x,\n');
  });
  test('is so too where the header cannot be read', async () => {
    const body = Buffer.concat([
      charset('gbk').encode('编号;姓名;电话\n'),
      Buffer.from('C1;x;13812345678\n'),
    ]);
    expect((await disclose(body, { ...c, options: {} })).text).toBe('\n\n');
  });
  test('is refused, or counted from the left, where the route says so', async () => {
    const body = 'C1;x;13812345678\n';
    expect(await refusal(body, { ...c, options: { header: false, ragged: 'refuse' } })).toBe(
      'response_malformed',
    );
    expect((await disclose(body, { ...c, options: { header: false, ragged: 'keep' } })).text).toBe(body);
  });
  test('is refused where it names that separator itself, and its first column is all that is named', async () => {
    const one = { ...c, fields: { '/#1': 'reference/1' } };
    expect(await refusal('sep=;\nC1;x;13812345678\n', one)).toBe('response_malformed');
    expect((await disclose('sep=,\nC1,13812345678\n', one)).text).toBe('sep=,\nC1,\n');
  });
  test('is no less than it was where a column is known by its name', async () => {
    const named = { ...c, fields: { ...c.fields, '/id': 'reference/1', '/phone': phone }, options: {} };
    expect((await disclose('id,phone\nC1,13812345678\n', named)).text).toBe('id,phone\nC1,\n');
  });
});

describe('titles before the header', () => {
  const body = 'sep=;\r\n客户列表 2026;王五\r\n\r\n"导出人:\r\n张三"\r\nid;phone\r\nC1;13812345678\r\n';
  test('are left out where the route says how many lines they are', async () => {
    for (const cuts of [[], [1, 8, 20, 40, 41, 60]]) {
      const { text, summary } = await disclose(body, {
        ...USERS,
        options: { skip: 3 },
        answer: MASKED,
        cuts,
      });
      expect(text).toBe('sep=;\r\nid;phone\r\nC1;138****5678\r\n');
      expect(summary[0]?.withheld.map((w) => `${w.path} ${w.because} ${w.count}`)).toContain(
        '/#0 uncatalogued 3',
      );
    }
  });
  test('may be all that there is', async () => {
    expect((await disclose('客户列表\n', { ...USERS, options: { skip: 3 } })).text).toBe('');
  });
});

describe('columns', () => {
  const positions: Case = {
    format: 'csv',
    subject: '/#1',
    fields: { '/#1': 'reference/1', '/#3': phone },
    answer: { '*': 'disclose', 'contact/3': 'mask' },
  };
  test('are known by position where there is no header', async () => {
    expect((await disclose('C1,x,13812345678\n', { ...positions, options: { header: false } })).text).toBe(
      'C1,,138****5678\n',
    );
  });
  test('are known by position where the header cannot be read', async () => {
    const header = charset('gbk').encode('编号,姓名,电话\n');
    const { bytes } = await disclose(Buffer.concat([header, Buffer.from('C1,x,13812345678\n')]), positions);
    expect(bytes.toString()).toBe(',,\nC1,,138****5678\n');
  });
  test('keep the header they have where the route trusts it', async () => {
    expect(
      (await disclose('a,b,c\nC1,x,13812345678\n', { ...positions, options: { header: 'keep' } })).text,
    ).toBe('a,b,c\nC1,,138****5678\n');
  });
  test('do not believe a header that names another position', async () => {
    expect((await disclose('#1,#2,x,#1\nC1,,13812345678,13900000000\n', positions)).text).toBe(
      ',,,\nC1,,138****5678,\n',
    );
  });
  test('of one name are emptied, and name nobody', async () => {
    const { text, asked } = await disclose('id,phone,phone,id\nC1,13812345678,13900000000,C2\n', {
      ...USERS,
      answer: MASKED,
    });
    // whose row it is nobody can say, so it is withheld
    expect(text).toBe('id,phone,phone,id\n');
    expect(asked).toEqual([]);
  });
  test('of one attribute must agree', async () => {
    expect(await refusal('id,vip,vip\nC1,1,0\n', USERS)).toBe('response_malformed');
  });
  test('of a header that is somebody’s data leave empty', async () => {
    expect(
      (await disclose('C9,王五,13812345678\nC1,x,13900000000\n', { ...USERS, dataSubject: 'C1' })).text,
    ).toBe(',,\n,,\n');
  });
});

describe('a row that does not fit its header', () => {
  const body = 'id,phone,vip\nC1,13812345678,1\nC2,Doe, John,13900000000,1\nC3,13900000001\n';
  test('leaves nothing of itself, and is nobody’s', async () => {
    const { text, asked } = await disclose(body, { ...USERS, dataSubject: 'C1' });
    expect(text).toBe('id,phone,vip\nC1,13812345678,1\n,,\n,,\n');
    expect(asked.map((a) => a.flags)).not.toContainEqual(['C2']);
  });
  test('refuses the body where the route says so', async () => {
    expect(await refusal(body, { ...USERS, options: { ragged: 'refuse' } })).toBe('response_malformed');
  });
  test('is counted from the left where the route says so', async () => {
    expect((await disclose(body, { ...USERS, options: { ragged: 'keep' } })).text).toContain(
      'C3,13900000001\n',
    );
  });
});

describe('a value put in the place of another', () => {
  const notes: Case = {
    format: 'csv',
    subject: '/id',
    fields: {
      '/id': 'reference/1',
      '/p': { category: 'c', grade: 3, mask: { kind: 'generic', keep_first: 4 } },
    },
    answer: { '*': 'disclose', 'c/3': 'mask' },
  };
  const masked = async (cell: string, c: Partial<Case> = {}): Promise<string> => {
    const cs = charset(c.charset || 'utf-8');
    const sep = c.options?.['separator'] ?? (c.format === 'tsv' ? '\t' : ',');
    const out = await disclose(cs.encode(`id${sep}p\nC1${sep}${cell}\n`), { ...notes, ...c });
    return cs.decode(out.bytes)!.split('\n').slice(1).join('\n').slice(3);
  };
  test('is quoted where it has to be', async () => {
    expect(await masked('"a"",b1234567"')).toBe('"a"",b****"\n');
    expect(await masked('"abcdefgh"')).toBe('"abcd****"\n');
    expect(await masked('abcdefgh')).toBe('abcd****\n');
  });
  test('is escaped as the table escapes', async () => {
    expect(await masked('"a\\"\\\\bcdefgh"', { options: { escape: '\\' } })).toBe('"a\\"\\\\b****"\n');
  });
  test('is escaped where the table has no quotes', async () => {
    expect(await masked('ab\\;cdefgh', { options: { separator: ';', quote: '', escape: '\\' } })).toBe(
      'ab\\;c****\n',
    );
  });
  test('is written in the charset of the table', async () => {
    for (const name of ['gb18030', 'shift_jis', 'utf-16le', 'utf-16be', 'euc-jp'])
      expect(await masked('王小明王小明王小', { charset: name })).toBe('王小明王****\n');
  });
  test('is none where the bytes are not of the charset', async () => {
    const body = Buffer.concat([Buffer.from('id,p\nC1,'), Buffer.from([0xb0, 0x41]), Buffer.from('\n')]);
    expect((await disclose(body, notes)).text).toBe('id,p\nC1,\n');
    const { bytes } = await disclose(body, { ...notes, answer: { '*': 'disclose' } });
    expect(bytes.equals(body)).toBe(true);
  });
  test('is none where there was none', async () => {
    expect(await masked('')).toBe('\n');
  });
});

describe('TSV', () => {
  const tsv: Case = { ...USERS, format: 'tsv' };
  test('knows no quotes unless the route says so', async () => {
    const body = 'id\tphone\tvip\nC1\t"138\t1\nC2\t2"\t0\n';
    expect((await disclose(body, { ...tsv, answer: { '*': 'disclose', 'contact/3': 'drop' } })).text).toBe(
      'id\tphone\tvip\nC1\t\t1\nC2\t\t0\n',
    );
    expect((await disclose('id\tphone\nC1\t"1\t2"\n', { ...tsv, options: { quote: '"' } })).text).toBe(
      'id\tphone\nC1\t"1\t2"\n',
    );
  });
});

describe('refused', () => {
  test.each([
    ['an unterminated quote', 'id,vip\nC1,"1\n', 'response_malformed', {}],
    ['a contradiction about the charset', '\ufeffid\nC1\n', 'response_charset_unknown', { charset: 'gbk' }],
    ['an unknown charset', 'id\nC1\n', 'response_charset_unknown', { charset: 'utf-7' }],
    ['an unknown option', 'id\nC1\n', 'config_invalid', { options: { seperator: ';' } }],
    ['a separator of two characters', 'id\nC1\n', 'config_invalid', { options: { separator: '||' } }],
    ['a separator that is a quote', 'id\nC1\n', 'config_invalid', { options: { separator: '"' } }],
    ['a digit for a separator', 'id\nC1\n', 'config_invalid', { options: { separator: '0' } }],
    [
      'a row beyond the limit',
      `id\n${'x'.repeat(300)}\n`,
      'record_too_large',
      { limits: { record_bytes: 200 } },
    ],
  ] as const)('is %s', async (_, body, code, more) => {
    expect(await refusal(body, { ...USERS, ...more })).toBe(code);
    expect(await refusal(body, { ...USERS, ...more, cuts: [1, 2, 3, 4, 7, 9] })).toBe(code);
  });
});

const CHARSETS = [
  'utf-8',
  'gb18030',
  'gbk',
  'big5',
  'shift_jis',
  'euc-kr',
  'utf-16le',
  'utf-16be',
  'iso-8859-1',
  'windows-1252',
];
const CANARY = 'Kanarienvogel';
const noise = fc.string({
  unit: fc.constantFrom(
    '"',
    ',',
    '\n',
    '\r\n',
    '\r',
    '|',
    '\\',
    ';',
    ' ',
    'x',
    '1',
    'é',
    '王',
    'ソ',
    'ポ',
    '功',
    '四',
    '丂',
    '亅',
    '뢔',
    '😀',
  ),
  maxLength: 8,
});
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

describe('whatever the upstream spells', () => {
  test('nothing of what is withheld leaves', async () => {
    const cell = fc.tuple(noise, noise).map(([a, b]) => quoted(`${a}${CANARY}${b}`));
    const open = noise.map(quoted);
    const header = fc
      .shuffledSubarray(['id', 'ok', 'phone', 'unknown', 'Ok', 'phone', '#1', ' ok', '"ok"'], {
        minLength: 3,
      })
      .filter((h) => h.includes('id'));
    await fc.assert(
      fc.asyncProperty(
        header,
        fc.array(fc.array(fc.tuple(cell, open), { minLength: 9, maxLength: 9 }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.constantFrom(...CHARSETS),
        fc.constantFrom('drop', 'nullify', 'pseudonymize' as const),
        fc.constantFrom(',', '|', ';'),
        cutting,
        async (columns, rows, name, action, sep, cuts) => {
          const cs = charset(name);
          const lines = rows.map((row) =>
            columns
              .map((column, k) =>
                column === 'id' ? 'C1' : ['ok', '"ok"'].includes(column) ? row[k]![1] : row[k]![0],
              )
              .join(sep),
          );
          const body = cs.encode(`${[columns.join(sep), ...lines].join('\n')}\n`);
          const { bytes, summary } = await disclose(body, {
            format: 'csv',
            charset: name,
            options: { separator: sep },
            subject: '/id',
            fields: { '/id': 'reference/1', '/ok': 'x/1', '/phone': 'contact/3' },
            answer: { '*': 'disclose', 'contact/3': action },
            cuts,
          });
          expect(cs.decode(bytes)).not.toContain(CANARY);
          expect(JSON.stringify(summary)).not.toContain(CANARY);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('what is disclosed is the very bytes', async () => {
    const cell = fc.oneof(
      noise.map(quoted),
      noise.map((t) => t.replace(/[",|;\r\n\\]/g, '')),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...CHARSETS),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.boolean(),
        cutting,
        async (rows, name, end, mark, cuts) => {
          const cs = charset(name);
          const bom = mark && (name.startsWith('utf') || name === 'gb18030') ? '\ufeff' : '';
          const body = cs.encode(`${bom}id,a,b,c${end}${rows.map((r) => `C1,${r.join(',')}`).join(end)}`);
          const { bytes } = await disclose(body, {
            format: 'csv',
            charset: name,
            subject: '/id',
            fields: { '/*': 'x/1' },
            cuts,
          });
          expect(bytes.equals(body)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
