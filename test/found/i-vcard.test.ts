/**
 * Class: a format of address books that nobody could look into. Root cause: there was none for vCard, so a CardDAV server could only be disclosed
 * as a whole, or not at all.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { responseFault } from '../../src/disclosure/response-check.ts';
import { mediaOf } from '../../src/disclosure/media.ts';
import { type ExchangeCase, exchanges } from '../cases/exchanges.ts';
import { ask, codeOf, route, routerOf } from '../routing/setup.ts';
import { disclose, refusal } from '../disclosure/formats/support.ts';

const FIELDS = {
  '/UID/*/value': 'reference/1',
  '/FN/*/value': { category: 'identity', grade: 3, mask: 'person_name' },
  '/N/*/family': 'identity/3x',
  '/N/*/given': 'reference/1',
  '/TEL/*/value': { category: 'contact', grade: 3, mask: 'phone' },
  '/TEL/*/TYPE': 'reference/1',
  '/TEL/[TYPE=work]/value': 'reference/1',
  '/EMAIL/*/value': 'reference/1',
  '/PHOTO/*/value': { category: 'photo', grade: 3, mask: 'phone' },
  '/NOTE/*/value': 'note/3',
};
const fields = Object.fromEntries(
  Object.entries(FIELDS).map(([p, e]) => [
    p,
    typeof e !== 'string' ? e : { category: e.split('/')[0]!, grade: Number.parseInt(e.split('/')[1]!, 10) },
  ]),
);
const c = (answer: object, more: object = {}) => ({
  format: 'vcard' as const,
  fields,
  answer: { 'reference/1': 'disclose', ...answer } as never,
  ...more,
});
const card = (...lines: readonly string[]): string =>
  ['BEGIN:VCARD', 'VERSION:4.0', ...lines, 'END:VCARD', ''].join('\r\n');

describe('a vCard', () => {
  test.each([
    ['a value', 'TEL;TYPE=cell:13812345678', 'TEL;TYPE=cell:138****5678'],
    [
      'a value behind a scheme',
      'TEL;VALUE=uri;TYPE=cell:tel:13812345678',
      'TEL;VALUE=uri;TYPE=cell:tel:138****5678',
    ],
    ['what its parameter picks', 'TEL;TYPE=WORK:010-12345678', 'TEL;TYPE=WORK:010-12345678'],
    [
      'a parameter without a line',
      'TEL;PREF=1;TYPE=cell;X-OWNER="Li; Si":13812345678',
      'TEL;TYPE=cell:138****5678',
    ],
    ['a group without a line', 'item1.TEL;TYPE=work:1', 'TEL;TYPE=work:1'],
    ['a component', 'N:王;小明;;;', 'N:;小明;;;'],
    ['a property without a line', 'BDAY:19900307', null],
    ['a folded value', 'TEL;TYPE=cell:1381\r\n 2345\r\n\t678', 'TEL;TYPE=cell:138****5678'],
    ['a value that is disclosed with its folds', 'EMAIL:a@exam\r\n ple.org', 'EMAIL:a@exam\r\n ple.org'],
    ['a type of older writers', 'TEL;CELL:13812345678', 'TEL;CELL:138****5678'],
    ['a photo, which no mask for texts can treat', 'PHOTO;ENCODING=b;TYPE=JPEG:13812345678', null],
    ['a photo as older writers spell it', 'PHOTO;BASE64;JPEG:13812345678', null],
    ['a charset that is the body’s', 'EMAIL;CHARSET=UTF-8:a', 'EMAIL:a'],
    ['a photo in a URI', 'PHOTO:data:image/jpeg;base64,13812345678', null],
  ])('has each property treated by its own line: %s', async (_, line, wanted) => {
    const { text } = await disclose(
      card('UID:C1', line),
      c({ 'identity/3': 'drop', 'contact/3': 'mask', 'photo/3': 'mask' }),
    );
    expect(text).toBe(card('UID:C1', ...(wanted === null ? [] : [wanted])));
  });

  test('is split wherever its bytes arrive', async () => {
    const body =
      card('UID:C1', 'FN:王小\r\n 明', 'NOTE:CANARY', 'TEL;TYPE=cell:13812345678') +
      card('UID:C2', 'EMAIL:x');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { maxLength: 6 }), async (cuts) => {
        const { text } = await disclose(
          body,
          c({ 'identity/3': 'mask', 'contact/3': 'mask', 'note/3': 'drop' }, { cuts }),
        );
        expect(text).toBe(card('UID:C1', 'FN:王**', 'TEL;TYPE=cell:138****5678') + card('UID:C2', 'EMAIL:x'));
      }),
    );
  });

  test('is a record of its own, and goes whole where it is withheld', async () => {
    const body = card('UID:C1', 'EMAIL:a') + card('UID:C2', 'EMAIL:b');
    const { text } = await disclose(body, c({}, { subject: '/UID/*/value', withhold: ['C1'] }));
    expect(text).toBe(card('UID:C2', 'EMAIL:b'));
  });

  test('keeps every byte of what is disclosed', async () => {
    const value = fc.string({ unit: 'grapheme', maxLength: 30 }).map((t) => t.replace(/[\r\n]/g, ''));
    await fc.assert(
      fc.asyncProperty(
        value,
        fc.constantFrom('\r\n', '\n'),
        fc.constantFrom('\r\n ', '\n\t', ''),
        async (text, eol, fold) => {
          const bytes = Buffer.from(text);
          // folded in the middle, be that within a character
          const half = bytes.length >> 1;
          const body = Buffer.concat([
            Buffer.from(`BEGIN:VCARD${eol}VERSION:3.0${eol}EMAIL:`),
            bytes.subarray(0, half),
            Buffer.from(fold),
            bytes.subarray(half),
            Buffer.from(`${eol}NOTE:CANARY${eol}END:VCARD${eol}`),
          ]);
          const { bytes: out } = await disclose(body, c({ 'note/3': 'drop' }));
          expect(out.toString('latin1')).toBe(body.toString('latin1').replace(`NOTE:CANARY${eol}`, ''));
        },
      ),
    );
  });

  test('has what replaces a value escaped and folded', async () => {
    const note = `电话13812345678\\, ${'很长的备注\\;'.repeat(20)}`;
    const { text } = await disclose(card(`NOTE:${note}`), c({ 'note/3': 'scrub' }));
    const lines = text.split('\r\n');
    expect(lines.every((line) => Buffer.byteLength(line) <= 75)).toBe(true);
    expect(text.replace(/\r\n /g, '')).toContain(`NOTE:电话138****5678\\, ${'很长的备注\\;'.repeat(20)}\r\n`);
  });

  test.each([
    ['version 2.1', 'BEGIN:VCARD\r\nVERSION:2.1\r\nEND:VCARD\r\n'],
    ['no version', 'BEGIN:VCARD\r\nEND:VCARD\r\n'],
    ['two versions', card('VERSION:3.0')],
    ['a card within a card', card('BEGIN:VCARD')],
    ['an encoding of version 2.1', card('FN;ENCODING=QUOTED-PRINTABLE:=31')],
    ['the same as older writers spell it', card('UID;QUOTED-PRINTABLE:=43=31')],
    ['a charset of its own', card('FN;CHARSET=UTF-7:+ADEAMwA4-')],
    ['no end', 'BEGIN:VCARD\r\nVERSION:4.0\r\n'],
    ['text around it', `x\r\n${card()}`],
    ['a line that is no property', card('CANARY')],
    ['a lone carriage return', card('FN:a\rTEL:1')],
    ['an open quote', card('TEL;X="a:1')],
    ['an empty line', card('')],
    ['a byte order mark', `\ufeff${card('FN:a')}`],
  ])('is refused with %s', async (_, body) => {
    expect(await refusal(body, c({}))).toBe('response_malformed');
  });

  test('is known by its Content-Type', () => {
    expect(mediaOf({ 'content-type': 'text/vcard; charset=utf-8' })).toMatchObject({
      format: 'vcard',
      contentType: 'text/vcard; charset=utf-8',
    });
    expect(responseFault({ format: 'vcard', charset: 'gbk', options: {} })?.key).toBe('charset');
  });
});

describe('a vCard that is sent', () => {
  const router = routerOf(
    route('PUT /a/{id}.vcf', { action: 'update', id: '{id}', request: { format: 'vcard' } }),
  );
  const put = (body: string) => ({ body, type: 'text/vcard; charset=utf-8' });

  test('is read by the paths that answers have', () => {
    const body = card(
      'UID:C1',
      'N:王;小明;;;',
      'item1.TEL;TYPE=Cell;PREF=1;VALUE=uri:tel:1',
      'NOTE:a\\,\r\n b',
    );
    const { bodyFields, body: value } = ask(router, 'PUT', '/a/C1.vcf', put(body));
    expect(bodyFields).toEqual([
      '/N/*/additional',
      '/N/*/family',
      '/N/*/given',
      '/N/*/prefix',
      '/N/*/suffix',
      '/NOTE/*/value',
      '/TEL/*/PREF',
      '/TEL/*/TYPE',
      '/TEL/*/group',
      '/TEL/*/value',
      '/UID/*/value',
    ]);
    expect(value).toMatchObject({ TEL: [{ TYPE: 'cell', value: '1' }], NOTE: [{ value: 'a,b' }] });
  });

  test.each([
    ['two cards', card('FN:a') + card('FN:b')],
    ['two cards of which the second has a byte order mark', `${card('FN:a')}\ufeff${card('FN:b')}`],
    ['a byte order mark', `\ufeff${card('FN:a')}`],
    ['a byte order mark before a property', card('\ufeffFN:a')],
    ['an end within it', card('FN:a', 'END:VCARD', 'TEL:1')],
    ['an end with a group', card('FN:a', 'x.END:VCARD', 'x.BEGIN:VCARD', 'TEL:1')],
    ['a property twice that stands once', card('UID:C1', 'UID:C2')],
    ['another version', card('FN:a').replace('4.0', '2.1')],
    ['text behind it', `${card('FN:a')}x`],
    ['no end', card('FN:a').replace('END', 'FN')],
    ['an encoding that its version has not', card('FN;ENCODING=QUOTED-PRINTABLE:=31')],
  ])('is refused with %s', (_, body) => {
    expect(codeOf(router, 'PUT', '/a/C1.vcf', put(body))).toBe('body_unreadable');
  });

  test.each([
    ['several vCards', card('FN:a') + card('FN:b')],
    ['byte order mark', `\ufeff${card('FN:a')}`],
  ])('says what is wrong: %s', (said, body) => {
    expect(() => ask(router, 'PUT', '/a/C1.vcf', put(body))).toThrow(said);
  });

  test('is held to what its caller may write, and forwarded byte for byte', async () => {
    const sends = (name: string, body: string, expected: object): ExchangeCase =>
      ({
        name,
        class: 'I',
        catalog: `
resource: contact
data_subject: /UID/*/value
fields:
  /UID/*/value: { category: reference, grade: 1 }
  /FN/*/value: { category: identity, grade: 3, mask: person_name }
  /TEL/*/value: { category: contact, grade: 3, mask: phone }
  /TEL/*/TYPE: { category: contact, grade: 2 }
`,
        route: {
          match: 'PUT /a/{id}.vcf',
          resource: 'contact',
          action: 'update',
          id: '{id}',
          data_subject: '{id}',
          request: { format: 'vcard', replaces: false },
        },
        roles: { support: { contact: 'use', reference: 'use', identity: 'recognise' } },
        request: { method: 'PUT', path: '/a/C1.vcf', headers: { 'content-type': 'text/vcard' }, body },
        upstream: { status: 204 },
        expect: expected,
      }) as ExchangeCase;
    const good = card('UID:C1', 'TEL;TYPE=cell:1381\r\n 2345678');
    const failed: string[] = [];
    const cases = [
      sends('what may be written', good, { status: 204, upstream_body: good }),
      sends('a field that may not', card('UID:C1', 'FN:Li'), { status: 403, upstream_not_called: true }),
      sends('a property without a line', card('UID:C1', 'X-SALARY:1'), {
        status: 403,
        upstream_not_called: true,
      }),
      sends('another person', card('UID:C2', 'TEL:1'), { status: 403, upstream_not_called: true }),
    ];
    for await (const { name, faults } of exchanges(cases))
      failed.push(...faults.map((fault) => `${name}: ${fault}`));
    expect(failed).toEqual([]);
  });
});

test('a card in XML keeps its line ends and the white space around it, whatever of it is left out', async () => {
  const around = (data: string): string => `<m><r><d>${data}</d></r></m>`;
  const text = ' \n\tBEGIN:VCARD\nVERSION:3.0\nUID:C1\nFN:A &amp; B\nNOTE:CANARY\nEND:VCARD\n \n';
  const { text: out } = await disclose(around(text), {
    format: 'xml',
    records: '/m/r',
    fields: {
      '/d': { category: 'reference', grade: 1, parse: 'vcard' },
      '/d/UID/*/value': 'reference/1',
      '/d/FN/*/value': 'reference/1',
    },
    answer: { 'reference/1': 'disclose' },
  });
  expect(out).toBe(around(text.replace('NOTE:CANARY\n', '')));
});

describe('what is asked of a CardDAV server', () => {
  const namespaces = { '': 'urn:ietf:params:xml:ns:carddav', D: 'DAV:' };
  const asked = { action: 'search', request: { format: 'xml', options: { namespaces } } };
  const router = routerOf(
    route('REPORT /a/', {
      ...asked,
      when: { body: { '/addressbook-query/filter': '' } },
      request: { ...asked.request, params: ['/addressbook-query/D:prop/**'] },
    }),
    route('REPORT /a/', {
      ...asked,
      request: { ...asked.request, params: ['/addressbook-multiget/D:href/**'] },
    }),
  );
  const report = (name: string, inside: string): string =>
    codeOf(router, 'REPORT', '/a/', {
      type: 'application/xml',
      body: `<?xml version="1.0" encoding="utf-8"?><C:${name} xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">${inside}</C:${name}>`,
    });
  test.each([
    ['addressbook-query', '<D:prop><D:getetag/><C:address-data/></D:prop><C:filter/>', 'routed'],
    ['addressbook-multiget', '<D:href>/a/C1.vcf</D:href><D:href>/a/C2.vcf</D:href>', 'routed'],
    ['addressbook-multiget', '<D:href>/a/C1.vcf</D:href>', 'routed'],
    ['addressbook-query', '<x xmlns="DAV:"/>', 'other'],
    ['addressbook-query', '<C:prop/>', 'other'],
    ['addressbook-query', '<D:filter/>', 'other'],
    ['addressbook-query', '<filter xmlns=""/>', 'body_unreadable'],
    ['addressbook-query', '<x:filter xmlns:x="urn:x"/>', 'body_unreadable'],
    [
      'addressbook-query',
      '<C:filter><C:prop-filter name="TEL"><C:text-match>138</C:text-match></C:prop-filter></C:filter>',
      'other',
    ],
  ])('is told apart by its namespaces: %s %s', (name, inside, wanted) => {
    const code = report(name, inside);
    if (wanted === 'other') expect(code).not.toBe('routed');
    else expect(code).toBe(wanted);
  });
  test('has namespaces in XML alone, each under one prefix', () => {
    for (const request of [
      { format: 'json', options: { namespaces } },
      { format: 'xml', options: { namespaces: { a: 'DAV:', b: 'DAV:' } } },
    ])
      expect(() =>
        routerOf(route('REPORT /a/', { action: 'search', request: { ...request, params: ['/a'] } })),
      ).toThrow(/namespaces/);
  });
});

describe('vCards in the answer of a CardDAV server', () => {
  /** as Radicale 3 answers to a REPORT */
  const multistatus = (data: string): string =>
    `<?xml version='1.0' encoding='utf-8'?>\n<multistatus xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><response><href>/u/a/C1.vcf</href><propstat><prop><getetag>"1"</getetag><CR:address-data>${data}</CR:address-data></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>`;
  const text = (lines: readonly string[]): string =>
    ['BEGIN:VCARD', 'VERSION:3.0', ...lines, 'END:VCARD', ''].join('\n');
  const at = '/propstat/prop/address-data';
  const dav = (answer: object) => ({
    format: 'xml' as const,
    records: '/multistatus/response',
    fields: {
      '/href': 'reference/1',
      [at]: { category: 'reference', grade: 1, parse: 'vcard' },
      [`${at}/UID/*/value`]: 'reference/1',
      [`${at}/TEL/*/value`]: { category: 'contact', grade: 3, mask: 'phone' },
    },
    answer: { 'reference/1': 'disclose', ...answer } as never,
  });

  test.each([
    ['as text', (card: string) => card],
    ['as CDATA', (card: string) => `<![CDATA[${card}]]>`],
    ['with references', (card: string) => card.replaceAll('\n', '&#13;\n')],
  ])('are disclosed property by property: %s', async (_, spell) => {
    const body = multistatus(
      spell(text(['UID:C1', 'FN:CANARY', 'NOTE:CANARY &amp; CANARY', 'TEL;TYPE=cell:13812345678'])),
    );
    const { text: out } = await disclose(body, dav({ 'contact/3': 'mask' }));
    expect(out).not.toContain('CANARY');
    expect(out).not.toContain('13812345678');
    expect(out).not.toContain('cell');
    expect(out).toContain('UID:C1');
    expect(out).toContain('TEL:138****5678');
  });

  test('stay byte for byte where nothing of them is withheld', async () => {
    const card = text(['UID:C1', 'TEL:1']);
    const { text: out } = await disclose(multistatus(card), dav({ 'contact/3': 'disclose' }));
    expect(out).toContain(card);
  });

  test.each([
    ['no card', 'CANARY'],
    ['two cards', text(['UID:CANARY']) + text(['UID:CANARY'])],
    ['a card of another version', text(['UID:CANARY']).replace('3.0', '2.1')],
  ])('are dropped where the text is %s', async (_, data) => {
    const { text: out } = await disclose(multistatus(data), dav({ 'contact/3': 'disclose' }));
    expect(out).not.toContain('CANARY');
  });

  test('are dropped where their text is none that UTF-8 can have', async () => {
    const body = `{"card":${JSON.stringify(text(['UID:C1', 'FN:x'])).replace('x', '\\ud800')}}`;
    const json = {
      format: 'json' as const,
      fields: {
        '/card': { category: 'reference', grade: 1, parse: 'vcard' },
        '/card/FN/*/value': 'reference/1',
      },
    };
    expect((await disclose(body, { ...json, answer: { '*': 'disclose' } })).text).toBe('{}');
  });
});
