import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { charset } from '../../../src/disclosure/formats/shared/charsets.ts';
import { type Case, catalogOf, cutting, disclose, refusal } from './support.ts';

const CUSTOMERS: Case = {
  format: 'xml',
  records: '/customers/customer',
  subject: '/@id',
  attributes: { vip: '/vip' },
  fields: {
    '/@id': 'reference/1',
    '/name': 'identity/3',
    '/phone': { category: 'contact', grade: 3, mask: 'phone' },
    '/phone/@type': 'reference/1',
    '/vip': 'reference/1',
    '/address/city': 'contact/2',
    '/orders/*/amount': 'transaction/2',
    '/custom/[name=身份证号]/value': 'identity/4',
    '/custom/*/name': 'reference/1',
  },
  envelope: {
    '/customers/total': 'total',
    '/customers/@version': 'status',
    '/customers/next': 'link',
    '/customers/status': 'status',
  },
};
const BODY = `<?xml version="1.0"?>
<!-- exported for 13800000001 -->
<customers version="2" count='9' xmlns:c="urn:crm">
  <status ok="yes">fine<!-- 13800000002 --></status>
  <total>2</total>
  <next>http://crm/?after=C2</next>
  <customer id="C1">
    <c:name>王芳 &amp; <![CDATA[Co <x>]]></c:name>
    <phone type="mobile">13812345678</phone>
    <vip>true</vip>
    <address><city>上海</city><street>Nanjing Rd</street></address>
    <orders><order><amount>12.50</amount></order><order><amount>8</amount><note>n</note></order></orders>
    <custom><field><name>身份证号</name><value>110101199003070011</value></field><field><name>hobby</name><value>go</value></field></custom>
    <!-- 13800000003 --><?pi 13800000004?>
  </customer>
  <customer id="C2"><phone/></customer>
</customers>
`;

describe('a document of records', () => {
  test('leaves with what is disclosed, byte for byte, and without what is not', async () => {
    const { text } = await disclose(BODY, { ...CUSTOMERS, answer: { '*': 'disclose', 'contact/3': 'mask' } });
    expect(text).toMatchInlineSnapshot(`
      "<?xml version="1.0"?>
      <customers version="2" xmlns:c="urn:crm">
        <status>fine</status>
        <total>2</total>
        <customer id="C1">
          <c:name>王芳 &amp; <![CDATA[Co <x>]]></c:name>
          <phone type="mobile">138****5678</phone>
          <vip>true</vip>
          <address><city>上海</city></address>
          <orders><order><amount>12.50</amount></order><order><amount>8</amount></order></orders>
          <custom><field><name>身份证号</name><value>110101199003070011</value></field><field><name>hobby</name></field></custom>
        </customer>
        <customer id="C2"><phone/></customer>
      </customers>
      "
    `);
  });

  test('gives the policy what the catalog names', async () => {
    const { asked } = await disclose(BODY, CUSTOMERS);
    expect(asked).toEqual([{ vip: 'true', flags: ['C1'] }, { flags: ['C2'] }]);
  });

  test('leaves out a withheld record without a hole, and its count', async () => {
    const { text } = await disclose(BODY, { ...CUSTOMERS, withhold: ['C1'] });
    expect(text).not.toContain('13812345678');
    expect(text).toContain('<total>1</total>\n  <customer id="C2"><phone/></customer>\n</customers>\n');
  });

  test('is the same however it is cut', async () => {
    const whole = await disclose(BODY, CUSTOMERS);
    await fc.assert(
      fc.asyncProperty(cutting, async (cuts) => {
        expect((await disclose(BODY, { ...CUSTOMERS, cuts })).text).toBe(whole.text);
      }),
      { numRuns: 60 },
    );
  });

  test('names in its summary what was not released', async () => {
    const { summary } = await disclose(BODY, CUSTOMERS);
    const paths = summary.flatMap((s) => s.withheld.map((w) => `${w.path} ${w.because}`));
    for (const want of [
      '/customers/@count uncatalogued',
      '/customers/next envelope_link',
      '/address/street uncatalogued',
      '/custom/field/value uncatalogued',
    ])
      expect(paths).toContain(want);
  });
});

describe('an envelope of SOAP', () => {
  const body = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header><wsse:Token xmlns:wsse="urn:w">s3cret</wsse:Token></soap:Header>
<soap:Body soap:encodingStyle="x"><ns1:getCustomerResponse xmlns:ns1="urn:crm"><return><id>C1</id><phone>13812345678</phone></return></ns1:getCustomerResponse></soap:Body></soap:Envelope>`;
  const soap: Case = {
    format: 'xml',
    records: '/Envelope/Body/getCustomerResponse/return',
    subject: '/id',
    fields: { '/id': 'reference/1', '/phone': { category: 'contact', grade: 3, mask: 'phone' } },
    answer: { '*': 'disclose', 'contact/3': 'mask' },
  };

  test('keeps the way to the record, and nothing of its header', async () => {
    const { text } = await disclose(body, soap);
    expect(text).not.toContain('s3cret');
    expect(text).toBe(
      body
        .replace(/<soap:Header>.*<\/soap:Header>/, '')
        .replace(' soap:encodingStyle="x"', '')
        .replace('13812345678', '138****5678'),
    );
  });

  test('knows xml:lang by that name where the route names namespaces', async () => {
    const { text } = await disclose('<a xmlns="urn:crm" xml:lang="zh" xml:base="/x"><b>x</b></a>', {
      format: 'xml',
      fields: { '/b': 'x/1', '/@xml:lang': 'x/1' },
      options: { namespaces: { '': 'urn:crm' } },
    });
    expect(text).toBe('<a xmlns="urn:crm" xml:lang="zh"><b>x</b></a>');
  });
  test('knows an element of another namespace by no name where the route names its own', async () => {
    const options = { namespaces: { '': 'urn:crm', s: 'http://schemas.xmlsoap.org/soap/envelope/' } };
    const { text } = await disclose(body.replace('<phone>', '<phone xmlns="urn:evil">'), {
      ...soap,
      options,
      records: '/s:Envelope/s:Body/getCustomerResponse/return',
      answer: { '*': 'disclose' },
    });
    expect(text).toContain('<id>C1</id></return>');
  });
});

describe('a number around the records', () => {
  const counted: Case = {
    format: 'xml',
    records: '/list/row',
    subject: '/@id',
    fields: { '/@id': 'reference/1' },
    envelope: { '/list/@count': 'record_count', '/list/shown': 'record_count' },
  };
  const body = '<list count="2" x="1"><row id="a"/><row id="b"/><shown>2</shown></list>';
  test('stays where nothing was withheld', async () => {
    expect((await disclose(body, counted)).text).toBe(body.replace(' x="1"', ''));
  });
  test('is counted again where something was', async () => {
    expect((await disclose(body, { ...counted, withhold: ['a'] })).text).toBe(
      '<list count="1"><row id="b"/><shown>1</shown></list>',
    );
  });
  test('is left out where it is no number', async () => {
    const text = (await disclose(body.replace('>2<', '>13812345678 <b/><'), counted)).text;
    expect(text).toBe('<list count="2"><row id="a"/><row id="b"/></list>');
  });
});

describe('embedded resources', () => {
  const embedded: Case = {
    format: 'xml',
    subject: '/id',
    fields: { '/id': 'reference/1', '/agent': { resource: 'employee' } },
    embedded: [
      catalogOf({ fields: { '/@no': 'reference/1', '/name': 'identity/3' }, subject: '/@no' }, 'employee'),
    ],
  };
  const body = '<c><id>C1</id><agent no="E1"><name>Li</name></agent><agent no="E2"/><agent>E3</agent></c>';
  test('have their own data subjects', async () => {
    const { text, asked } = await disclose(body, embedded);
    expect(asked.map((a) => a.flags)).toEqual([['C1'], ['E1'], ['E2']]);
    expect(text).toBe('<c><id>C1</id><agent no="E1"><name>Li</name></agent><agent no="E2"/></c>');
  });
  test('are withheld one by one', async () => {
    expect((await disclose(body, { ...embedded, withhold: ['E1'] })).text).toBe(
      '<c><id>C1</id><agent no="E2"/></c>',
    );
  });
});

describe('a value put in the place of another', () => {
  const one = (phone: string, charsetName = ''): Promise<string> =>
    disclose(charsetName === '' ? phone : charset(charsetName).encode(phone), {
      format: 'xml',
      charset: charsetName,
      fields: {
        '/name': { category: 'identity', grade: 3, mask: 'person_name' },
        '/@name': { category: 'identity', grade: 3, mask: 'person_name' },
      },
      answer: { '*': 'mask' },
      dataSubject: 'C1',
    }).then((o) => charset(charsetName || 'utf-8').decode(o.bytes) ?? 'undecodable');

  test('is escaped, in content and in attributes', async () => {
    expect(await one('<c name="&lt;b&gt;&quot;"><name>&lt;王&gt;</name></c>')).not.toMatch(/[<>"]b|<王/);
  });
  test('takes the place of CDATA and of comments within', async () => {
    expect(await one('<c><name><![CDATA[王小]]><!-- 王小明 -->明</name></c>')).toBe(
      '<c><name>王**</name></c>',
    );
  });
  test('is written in the charset of the document', async () => {
    for (const name of ['gb18030', 'big5', 'shift_jis', 'utf-16le'])
      expect(await one('<c><name>王小明</name></c>', name)).toBe('<c><name>王**</name></c>');
  });
  test('leaves an empty element empty', async () => {
    expect(await one('<c><name/><name></name></c>')).toBe('<c><name/><name/></c>');
  });
});

describe('xsi:nil', () => {
  const of = async (body: string, treatment: 'disclose' | 'mask' | 'nullify' | 'drop') => {
    const root = `<c xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">${body}</c>`;
    const fields = {
      '/phone': { category: 'contact', grade: 3, mask: 'phone' },
      '/phone/@type': 'reference/1',
    };
    const answer = { 'contact/3': treatment, 'reference/1': 'disclose' } as const;
    const { text } = await disclose(root, { format: 'xml', fields, answer, dataSubject: 'C1' });
    expect(text.startsWith(root.slice(0, -body.length - 4))).toBe(true);
    return text.slice(root.length - body.length - 4, -4);
  };
  test('stays where its element is disclosed: null is not an empty text', async () => {
    expect(await of('<phone xsi:nil="true"/>', 'disclose')).toBe('<phone xsi:nil="true"/>');
    expect(await of("<phone xsi:nil='1'></phone>", 'disclose')).toBe("<phone xsi:nil='1'></phone>");
    expect(await of('<phone xsi:nil="false">13812345678</phone>', 'disclose')).toBe(
      '<phone xsi:nil="false">13812345678</phone>',
    );
  });
  test('stays where a treatment meets null', async () => {
    expect(await of('<phone xsi:nil="true"/>', 'mask')).toBe('<phone xsi:nil="true"/>');
  });
  test('goes with what is withheld', async () => {
    expect(await of('<phone xsi:nil="false">13812345678</phone>', 'mask')).toBe('<phone>138****5678</phone>');
    expect(await of('<phone xsi:nil="true"/>', 'drop')).toBe('');
    expect(await of('<phone type="m" xsi:nil="true"/>', 'drop')).toBe('<phone type="m"/>');
    expect(await of('<phone xsi:nil="true"/>', 'nullify')).toBe('<phone/>');
  });
  test('is an attribute like any other where it holds something else, or is of another namespace', async () => {
    const other = 'xmlns:xsi="urn:other"';
    expect(await of(`<phone ${other} xsi:nil="true">x</phone>`, 'disclose')).toBe(
      `<phone ${other}>x</phone>`,
    );
  });
});

describe('an element with elements in it', () => {
  const of = async (body: string, fields: Case['fields'], answer: Case['answer'] = { '*': 'disclose' }) => {
    const { text, summary } = await disclose(body, { format: 'xml', fields, answer, dataSubject: 'C1' });
    return [text, summary[0]!.withheld.map((w) => `${w.path} ${w.do} ${w.because} ${w.count}`)];
  };
  const body = '<c><to kind="a">x<city>y</city></to><to>z</to></c>';

  test('is dropped where its line is not whole, each time it stands there', async () => {
    expect(await of(body, { '/to': 'contact/3' })).toEqual(['<c><to>z</to></c>', ['/to drop not_whole 1']]);
    expect(await of('<c><to><a/></to><to><b/></to></c>', { '/*': 'contact/3' })).toEqual([
      '<c></c>',
      ['/* drop not_whole 2'],
    ]);
  });
  test('is walked where deeper lines name something', async () => {
    expect(await of(body, { '/to': 'contact/3', '/to/city': 'contact/2' })).toEqual([
      '<c><to><city>y</city></to><to>z</to></c>',
      ['/to/@kind drop uncatalogued 1', '/to/#text drop uncatalogued 1'],
    ]);
  });
  test('leaves with all that is in it where its line is whole', async () => {
    expect(await of(body, { '/to': 'contact/3 whole' })).toEqual([body, []]);
  });
  test('is dropped, or emptied, for the reason of its class', async () => {
    expect(await of(body, { '/to': 'contact/3' }, { '*': 'drop' })).toEqual(['<c></c>', ['/to drop test 2']]);
    expect(await of(body, { '/to': 'contact/3' }, { '*': 'nullify' })).toEqual([
      '<c><to/><to/></c>',
      ['/to nullify test 2'],
    ]);
    const masked = { '/to': { category: 'contact', grade: 3, mask: 'generic' } };
    expect(await of(body, masked, { '*': 'mask' })).toEqual([
      '<c><to>****</to></c>',
      ['/to mask test 1', '/to drop not_applicable 1'],
    ]);
  });
  test('around the records counts toward what may be held to count groups', async () => {
    const note = 'x'.repeat(20_000);
    const c: Case = {
      format: 'xml',
      records: '/l/r',
      fields: { '/a': 'x/1' },
      envelope: { '/l/s': 'status' },
      obligations: { min_group_size: 2 },
      limits: { group_bytes: 50_000 },
    };
    const body = (n: number): string => `<l>${`<s>${note}</s>`.repeat(n)}<r><a>1</a></r><r><a>1</a></r></l>`;
    expect(await refusal(body(2), c)).toBe('let through');
    expect(await refusal(body(3), c)).toBe('group_size_unmet');
  });
  test('that is repeated counts once for each group of records', async () => {
    const record = (city: string): string => `<r><id>${city.length}</id>${city}</r>`;
    const rows = ['<to>x</to>', '<to><x>1</x></to>', '<to><y>2</y></to>'].map(record).join('');
    const { text } = await disclose(`<l>${rows}</l>`, {
      format: 'xml',
      records: '/l/r',
      fields: { '/id': 'reference/1', '/to': { category: 'contact', grade: 3, quasi_identifier: true } },
      obligations: { min_group_size: 2 },
    });
    expect(text).toBe('<l><r><id>17</id></r><r><id>17</id></r></l>');
  });
});

describe('XML-RPC', () => {
  const member = (name: string, value: string): string =>
    `<member><name>${name}</name><value>${value}</value></member>`;
  const party = (id: number, phone: string): string =>
    `<value><struct>\n ${member('id', `<int>${id}</int>`)}\n ${member('name', '王芳')}\n ${member('phone', `<string>${phone}</string>`)}\n ${member('vip', '<boolean>1</boolean>')} ${member('orders', `<array><data><value><struct>${member('amount', '<double>12.5</double>')}${member('x', '1')}</struct></value></data></array>`)}</struct></value>`;
  const body = `<?xml version='1.0'?>\n<methodResponse><params><param><value><array><data>\n${party(1, '13812345678')}\n${party(2, '13900000000')}\n</data></array></value></param></params></methodResponse>`;
  const rpc: Case = {
    format: 'xml',
    options: { dialect: 'xmlrpc' },
    records: '/methodResponse/params/param/value/array/data/value',
    subject: '/id',
    attributes: { vip: '/vip' },
    fields: {
      '/id': 'reference/1',
      '/name': { category: 'identity', grade: 3, mask: 'person_name' },
      '/phone': { category: 'contact', grade: 3, mask: 'phone' },
      '/vip': 'reference/1',
      '/orders/*/amount': 'transaction/2',
    },
  };

  test('is read as the objects it spells', async () => {
    const { text, asked } = await disclose(body, {
      ...rpc,
      answer: { '*': 'disclose', 'contact/3': 'mask', 'identity/3': 'mask', 'transaction/2': 'nullify' },
    });
    expect(asked[0]).toEqual({ vip: true, flags: ['1'] });
    expect(text).toContain(member('name', '<string>王*</string>'));
    expect(text).toContain(member('phone', '<string>138****5678</string>'));
    expect(text).toContain(`<struct>${member('amount', '<nil/>')}</struct>`);
    expect(text).not.toContain('<name>x</name>');
  });

  test('is the very bytes where all is disclosed', async () => {
    const all = { ...rpc, fields: { '/*': 'x/1 whole' } };
    expect((await disclose(body, { ...all, cuts: [3, 99, 400] })).text).toBe(body);
  });

  test('keeps an array of scalars, and drops the structs in it, where the line is not whole', async () => {
    const of = async (value: string, more: Partial<Case> = {}) => {
      const { text, summary } = await disclose(
        `<methodResponse><params><param><value><struct>${member('l', value)}</struct></value></param></params></methodResponse>`,
        {
          format: 'xml',
          options: { dialect: 'xmlrpc' },
          dataSubject: 'C1',
          fields: { '/l': 'x/1' },
          ...more,
        },
      );
      const left = /<name>l<\/name><value>(.*)<\/value><\/member>/.exec(text)?.[1];
      return [left, summary[0]!.withheld.map((w) => `${w.path} ${w.do} ${w.because} ${w.count}`)];
    };
    const list = (...values: string[]) =>
      `<array><data>${values.map((v) => `<value>${v}</value>`).join('')}</data></array>`;
    const struct = `<struct>${member('k', '1')}</struct>`;
    expect(await of(list('a', list('b')))).toEqual([list('a', list('b')), []]);
    expect(await of(list('a', struct, list('b', struct)))).toEqual([
      list('a', list('b')),
      ['/l drop not_whole 2'],
    ]);
    expect(await of(struct)).toEqual([undefined, ['/l drop not_whole 1']]);
    expect(await of('<struct></struct>')).toEqual([undefined, ['/l drop not_whole 1']]);
    expect(await of(list('a', struct), { fields: { '/l': 'x/1 whole' } })).toEqual([list('a', struct), []]);
  });

  test('keeps the places of a positional export', async () => {
    const row =
      '<value><array><data><value>a</value><value><string>b</string></value><value><int>3</int></value></data></array></value>';
    const { text } = await disclose(
      `<methodResponse><params><param><value><array><data>${row}</data></array></value></param></params></methodResponse>`,
      {
        ...rpc,
        subject: '/0',
        attributes: {},
        fields: { '/0': 'reference/1', '/2': 'transaction/2' },
      },
    );
    expect(text).toContain('<value>a</value><value><nil/></value><value><int>3</int></value>');
  });

  test('may be one value in all, or a fault', async () => {
    const whole = { ...rpc, records: null, attributes: {} };
    expect(
      (
        await disclose(
          `<methodResponse><params><param>${party(1, '13812345678')}</param></params></methodResponse>`,
          whole,
        )
      ).text,
    ).toContain('13812345678');
    const fault = `<methodResponse><fault><value><struct>${member('faultCode', '<int>1</int>')}${member('faultString', 'phone 13812345678')}</struct></value></fault></methodResponse>`;
    expect((await disclose(fault, { ...whole, dataSubject: 'C1' })).text).toBe(
      '<methodResponse><fault><value><struct></struct></value></fault></methodResponse>',
    );
  });

  test.each([
    ['text beside its types', '<value>13812345678<int>1</int></value>'],
    ['two types', '<value><int>1</int><int>2</int></value>'],
    ['an unknown type', '<value><secret>1</secret></value>'],
    ['an attribute', '<value x="13812345678"><int>1</int></value>'],
    ['text among members', '<value><struct>13812345678</struct></value>'],
    ['a member without a value', '<value><struct><member><name>a</name></member></struct></value>'],
    ['elements within a scalar', '<value><string><b/></string></value>'],
  ])('refuses %s', async (_, value) => {
    expect(
      await refusal(`<methodResponse><params><param>${value}</param></params></methodResponse>`, {
        ...rpc,
        records: null,
      }),
    ).toBe('response_malformed');
  });
});

const OPEN: Case = { format: 'xml', fields: { '/*': 'x/1' }, dataSubject: 'C1' };

describe('refused', () => {
  test.each([
    ['a DOCTYPE', '<!DOCTYPE a><a/>'],
    ['an entity bomb', '<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;">]><a>&m;</a>'],
    ['an external entity', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
    ['an unknown entity', '<a>&x;</a>'],
    ['an entity cut short', '<a>&amp</a>'],
    ['crossed tags', '<a><b></a></b>'],
    ['a missing end', '<a><b></b>'],
    ['a tag cut short', '<a><b'],
    ['a comment cut short', '<a/><!-- x'],
    ['CDATA cut short', '<a><![CDATA[x]]</a>'],
    ['two roots', '<a/><a/>'],
    ['text outside the root', '<a/>13812345678'],
    ['no root', '<?xml version="1.0"?>'],
    ['nothing', ''],
    ['an attribute twice', '<a x="1" x="2"/>'],
    ['an attribute twice by its namespace', '<a xmlns:p="u" xmlns:q="u" p:x="1" q:x="2"/>'],
    ['an attribute without quotes', '<a x=1/>'],
    ['attributes that touch', '<a x="1"y="2"/>'],
    ['a < in an attribute', '<a x="<"/>'],
    ['an unbound prefix', '<a><p:b/></a>'],
    ['a control character', '<a>\u0001</a>'],
    ['a null character by reference', '<a>&#0;</a>'],
    ['two hyphens in a comment', '<a><!-- a -- b --></a>'],
    ['a declaration that comes late', '<a/><?xml version="1.0"?>'],
    ['a wrong end of CDATA', '<a>]]></a>'],
    ['bytes that are no UTF-8', Buffer.from([0x3c, 0x61, 0x3e, 0xb0, 0x3c, 0x2f, 0x61, 0x3e])],
    ['a lone surrogate', '<a>&#xD800;</a>'],
    ['JSON', '{"id":1}'],
  ])('is %s', async (_, body) => {
    expect(await refusal(body, OPEN)).toBe('response_malformed');
    expect(await refusal(body, { ...OPEN, cuts: Array.from({ length: body.length }, (_, i) => i) })).toBe(
      'response_malformed',
    );
  });

  test('is nesting beyond the limit, in a record or around it', async () => {
    const deep = `${'<a>'.repeat(600)}${'</a>'.repeat(600)}`;
    expect(await refusal(deep, OPEN)).toBe('response_too_deep');
    expect(await refusal(deep, { ...OPEN, records: '/x/y' })).toBe('response_too_deep');
  });

  test.each([
    ['record', `<l><r><id>1</id>${'<p>x</p>'.repeat(100)}</r></l>`],
    ['attribute', `<l><r id="${'x'.repeat(1000)}"/></l>`],
    ['attribute around the records', `<l x="${'x'.repeat(1000)}"/>`],
    ['attribute without an end', `<l x="${'x'.repeat(1000)}`],
    ['comment', `<l><!--${'x'.repeat(1000)}--></l>`],
    ['text', `<l>${' '.repeat(1000)}</l>`],
  ])('is a %s beyond the limit', async (_, body) => {
    for (const cuts of [[], [5, 300, 301, 600]])
      expect(await refusal(body, { ...OPEN, records: '/l/r', limits: { record_bytes: 500 }, cuts })).toBe(
        'record_too_large',
      );
  });

  test.each([
    ['elements', (n: number) => `<l><r>${'<p>x</p>\n '.repeat(n - 1)}</r></l>`],
    ['empty elements', (n: number) => `<l><r>${'<p/>'.repeat(n - 1)}</r></l>`],
    ['attributes', (n: number) => `<l><r ${attributes(n - 1)}/></l>`],
    ['attributes of a child', (n: number) => `<l><r><p ${attributes(n - 2)}/></r></l>`],
    ['attributes around the records', (n: number) => `<l ${attributes(n)}><r/></l>`],
    ['comments', (n: number) => `<l><r>${'<!---->'.repeat(n - 1)}</r></l>`],
    ['texts', (n: number) => `<l><r>${'<![CDATA[]]>'.repeat(n)}</r></l>`],
  ])('has more %s than a record may have', async (_, body) => {
    const open: Case = { ...OPEN, records: '/l/r', limits: { record_members: 100 } };
    expect(await refusal(body(100), open)).toBe('let through');
    expect(await refusal(body(101), open)).toBe('record_too_large');
  });

  test('has more parts than a record may have where no other limit is configured', async () => {
    const body = `<l><r>${'<p/>'.repeat(300_000)}</r></l>`;
    await expect(disclose(body, { ...OPEN, records: '/l/r' })).rejects.toThrow(/limits\.record_members/);
  });

  test.each([
    ['a tag full of references', '<r><n', '&#65;', '/></r>', 'response_malformed'],
    ['an attribute full of tags', '<r><n a="', '<?a?>', '"/></r>', 'response_malformed'],
    ['elements in one another without an end', '<r>', '<n>', '', 'response_too_deep'],
  ])('is %s, and is refused at the first', async (_, head, unit, tail, code) => {
    expect(await refusal(`${head}${unit.repeat(150_000)}${tail}`, OPEN)).toBe(code);
  });

  test('is full of ends that are halves of characters, and is disclosed', async () => {
    const half = Buffer.alloc(24_000, Buffer.from([0x81, 0x5d, 0x5d, 0x3e]));
    const body = Buffer.concat([Buffer.from('<l><r><![CDATA['), half, Buffer.from(']]></r></l>')]);
    expect((await disclose(body, { ...OPEN, records: '/l/r', charset: 'gbk' })).text).toContain('<l><r');
  });
});

const attributes = (n: number): string => Array.from({ length: n }, (_, k) => `a${k}="1"`).join(' ');

describe('the encoding', () => {
  const named = (name: string, label: string): string =>
    `<?xml version="1.0" encoding="${label}"?><a><name>${name}</name></a>`;
  const mark = (name: string): Buffer => charset(name).encode('\ufeff');
  const utf16 = (body: string): Buffer => Buffer.concat([mark('utf-16le'), charset('utf-16le').encode(body)]);

  test.each([
    ['declared', '', charset('gbk').encode(named('王', 'GBK'))],
    ['declared as the subset of what is said', 'gbk', charset('gbk').encode(named('王', 'gb2312'))],
    ['said by the upstream only', 'big5', charset('big5').encode('<a><name>王</name></a>')],
    ['of a byte order mark', '', utf16('<a><name>王</name></a>')],
    ['of a byte order mark and a declaration', '', utf16(named('王', 'utf-16'))],
    ['of the first characters', '', charset('utf-16be').encode(named('王', 'UTF-16'))],
    ['UTF-8 with a mark', 'utf-8', Buffer.concat([mark('utf-8'), Buffer.from(named('王', 'utf-8'))])],
    ['UTF-8 where nothing says otherwise', '', Buffer.from('<a><name>王</name></a>')],
  ])('is believed when %s', async (_, label, body) => {
    for (const cuts of [[], [1, 2, 3, 5, 8, 13, 40]]) {
      const { bytes } = await disclose(body, { ...OPEN, charset: label, cuts });
      expect(bytes.equals(body)).toBe(true);
    }
  });

  test.each([
    ['declared otherwise than said', 'utf-8', Buffer.from(named('x', 'gbk'))],
    ['declared otherwise than marked', '', Buffer.concat([mark('utf-8'), Buffer.from(named('x', 'gbk'))])],
    ['declared otherwise than it begins', '', charset('utf-16le').encode(named('x', 'utf-8'))],
    ['unknown', '', Buffer.from(named('x', 'utf-7'))],
    ['UTF-16 that is none', 'utf-8', Buffer.from(named('x', 'utf-16'))],
    ['EBCDIC', '', Buffer.from(named('x', 'IBM037'))],
  ])('is refused when %s', async (_, label, body) => {
    expect(await refusal(body, { ...OPEN, charset: label })).toBe('response_charset_unknown');
  });

  test.each([
    ['a system that has changed to UTF-8', 'utf-8', Buffer.from(named('王', 'gb2312'))],
    ['.NET’s StringWriter', 'utf-8', Buffer.from(named('王', 'utf-16'))],
    ['nobody knows', 'gb18030', charset('gb18030').encode(named('王', 'x-nonsense'))],
  ])('is the route’s where the declaration is wrong: that of %s', async (_, label, body) => {
    for (const cuts of [[], [1, 2, 5, 40]]) {
      const c = { ...OPEN, charset: label, charsetCertain: true, cuts };
      expect((await disclose(body, c)).bytes.equals(body)).toBe(true);
    }
  });

  test.each([
    ['a byte order mark', Buffer.concat([mark('utf-8'), Buffer.from('<a/>')])],
    ['the first characters', charset('utf-16le').encode('<a/>')],
  ])('is never the route’s against %s', async (_, body) => {
    const c = { ...OPEN, charset: 'gbk', charsetCertain: true };
    expect(await refusal(body, c)).toBe('response_charset_unknown');
  });

  test('does not let a character’s second byte end a CDATA section', async () => {
    // GBK 0x81 0x5d: `]` is half of a character
    const body = Buffer.concat([
      Buffer.from('<a><name><![CDATA['),
      Buffer.from([0x81, 0x5d]),
      Buffer.from(']></name><phone>1</phone>]]></name></a>'),
    ]);
    const { bytes } = await disclose(body, { ...OPEN, charset: 'gbk' });
    expect(bytes.equals(body)).toBe(true);
  });
});

const CANARY = 'Kanarienvogel';
/** spellings of one text: as it is, by references, as CDATA, with a comment inside */
const spelled = fc.constantFrom(
  CANARY,
  `&#75;${CANARY.slice(1)}`,
  `&#x4B;${CANARY.slice(1)}`,
  `<![CDATA[${CANARY}]]>`,
  `${CANARY.slice(0, 3)}<![CDATA[${CANARY.slice(3)}]]>`,
  ` \n${CANARY}\t`,
);
const quoted = fc.constantFrom(`"${CANARY}"`, `'${CANARY}'`, `"&#75;${CANARY.slice(1)}>"`, `'"${CANARY}/>'`);
const hidden = fc.constantFrom(
  `<!-- ${CANARY} -->`,
  `<?x ${CANARY}?>`,
  '',
  ' ',
  '\r\n',
  '<!-- > -->',
  `<!--<ok>${CANARY}</ok>-->`,
);
const secret: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    fc
      .tuple(fc.constantFrom('phone', 'x:phone', 'unknown', 'okay', 'Ok', 'ok.'), spelled)
      .map(([n, v]) => `<${n}>${v}</${n}>`),
    fc.tuple(fc.constantFrom('phone', 'unknown'), quoted).map(([n, q]) => `<${n} a=${q}/>`),
    fc.tuple(quoted, hidden).map(([q, h]) => `<phone \n x:secret = ${q} >${h}fine${h}</phone >`),
    fc.tuple(tie('node'), hidden, spelled).map(([n, h, v]) => `<box>${h}${v}${n}</box>`),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `<group>${a}<ok>fine</ok>${b}</group>`),
  ),
})).node;

const resolved = (text: string): string =>
  text.replace(/&#(x[0-9a-f]+|\d+);/gi, (_, n: string) =>
    String.fromCodePoint(Number(n.startsWith('x') ? `0${n}` : n)),
  );

describe('whatever the upstream spells', () => {
  const fields = { '/id': 'reference/1', '/ok': 'x/1', '/group/ok': 'x/1', '/phone': 'contact/3' };
  test('nothing of what is withheld leaves', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(secret, hidden), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('utf-8', 'gb18030', 'shift_jis', 'utf-16be', 'iso-8859-1'),
        fc.constantFrom('drop', 'nullify', 'mask', 'pseudonymize' as const),
        cutting,
        async (nodes, name, action, cuts) => {
          const rows = nodes.map(([node, h]) => `${h}<r><id>C1</id>${h}${node}</r>`).join('\n');
          const body = charset(name).encode(
            `<l xmlns:x="u" z="${CANARY}">${rows}<o>${CANARY}</o>${CANARY}</l>`,
          );
          const answer = { '*': 'disclose', 'contact/3': action } as const;
          const { bytes, summary } = await disclose(body, {
            format: 'xml',
            charset: name,
            records: '/l/r',
            subject: '/id',
            fields,
            answer,
            cuts,
          });
          const text = charset(name).decode(bytes) ?? CANARY;
          expect(resolved(text).replace(/<!\[CDATA\[|\]\]>/g, '')).not.toContain(CANARY);
          expect(JSON.stringify(summary)).not.toContain(CANARY);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('an attribute that nobody names goes, unless its element’s line is whole', async () => {
    const body = '<r><id>C1</id><ok a="1">fine</ok><phone a="1">2</phone></r>';
    const setting = {
      format: 'xml',
      fields,
      subject: '/id',
      answer: { '*': 'disclose', 'contact/3': 'pseudonymize' },
    } as const;
    const { text, summary } = await disclose(body, setting);
    expect(text).toMatch(/<ok>fine<\/ok><phone>ps_[^<]+<\/phone>/);
    expect(summary[0]!.withheld.map((w) => `${w.path} ${w.because}`)).toContain('/ok/@a uncatalogued');
    const whole = { ...setting, fields: { ...fields, '/ok': 'x/1 whole', '/phone': 'contact/3 whole' } };
    expect((await disclose(body, whole)).text).toMatch(/<ok a="1">fine<\/ok><phone>ps_[^<]+<\/phone>/);
  });

  test('what is disclosed is the very bytes', async () => {
    const plain = secret.map((s) => s.replace(/<!--.*?-->|<\?.*?\?>/gs, ''));
    await fc.assert(
      fc.asyncProperty(
        plain,
        fc.constantFrom('utf-8', 'gbk', 'utf-16le', 'koi8-r'),
        cutting,
        async (node, name, cuts) => {
          const body = charset(name).encode(`<l xmlns:x="u">\r\n <r a = '1'\t><id>C1</id>${node}</r >\n</l>`);
          const { bytes } = await disclose(body, {
            format: 'xml',
            charset: name,
            records: '/l/r',
            subject: '/id',
            fields: { '/*': 'x/1 whole' },
            cuts,
          });
          expect(bytes.equals(body)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** tokens that saxes need not see, and others; few documents of them are well-formed unless they are balanced */
const name = fc.constantFrom('a', 'b', 'phone', 'x:b', 'ä', 'a.b-c_1');
const declares = fc.constantFrom('', '', '', ' ', '\n', ' c="1"', ' xmlns="u"', ' xmlns=""', ' xmlns:x="v"');
const piece = fc.constantFrom(
  ...[
    'text',
    ' ',
    '\n',
    '\r\n',
    '\r',
    ']',
    ']]>',
    '&lt;',
    '&bad;',
    '<![CDATA[<a>]]>',
    '<!--</a>-->',
    '<?p i?>',
  ],
  ...[
    '客户',
    '\u0085',
    '\u2028',
    '\ufffd',
    '\ufffe',
    '\x01',
    '\x7f',
    '👤',
    '>',
    '<b>',
    '</b>',
    '<-a/>',
    '</a\n>',
    '<a b/>',
  ],
);
const usual = fc.constantFrom('text', ' ', '\n', '客户', '', '&amp;', '<!---->');
const tree: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.tuple(name, declares, usual).map(([n, d, t]) => `<${n}${d}>${t}</${n}>`),
    fc.tuple(name, declares).map(([n, d]) => `<${n}${d}/>`),
    fc
      .tuple(name, declares, fc.array(fc.oneof(tie('node'), usual), { maxLength: 4 }))
      .map(([n, d, inner]) => `<${n}${d}>${inner.join('')}</${n}>`),
    fc.tuple(tie('node'), piece, tie('node')).map((parts) => parts.join('')),
  ),
})).node;

describe('a token that saxes does not see', () => {
  /** in UTF-16 saxes sees all */
  const outcome = async (document: string, label: string, cuts: readonly number[]): Promise<unknown> => {
    const encoding = charset(label);
    const outcome = disclose(encoding.encode(document), {
      format: 'xml',
      charset: label,
      options: { namespaces: { '': 'u', y: 'v' } },
      records: '/l/a',
      fields: { '/a': 'x/1', '/y:b/*': 'x/1', '/phone': 'contact/3', '/b/phone': 'x/1' },
      answer: { '*': 'disclose', 'contact/3': 'mask' },
      limits: { depth: 4 },
      cuts,
    });
    return outcome.then(
      ({ bytes, summary }) => [encoding.decode(bytes), summary.map(({ withheld }) => withheld)],
      (error: { code?: string }) => error.code ?? error,
    );
  };
  test('is accepted, refused and disclosed as if it did', async () => {
    const found = new Map<unknown, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('', ' version="1.0"', ' version="1.1"'),
        tree,
        cutting,
        async (v, inner, cuts) => {
          const document = `${v === '' ? '' : `<?xml${v}?>`}<l xmlns:x="v"><a>${inner}</a></l>`;
          const all = await outcome(document, 'utf-16le', []);
          expect(await outcome(document, 'utf-8', cuts)).toEqual(all);
          const kind = typeof all === 'string' ? all : 'disclosed';
          found.set(kind, (found.get(kind) ?? 0) + 1);
        },
      ),
      { numRuns: 500 },
    );
    for (const kind of ['disclosed', 'response_malformed', 'response_too_deep'])
      expect(found.get(kind)).toBeGreaterThan(5);
  });

  test('counts for the line of a fault', async () => {
    const document = '<l>\n<a>\n<b>x</b>\n  <b>&amp;</c></a></l>';
    await expect(disclose(document, { ...OPEN, records: '/l/a' })).rejects.toMatchObject({ place: 'line 4' });
  });
});
