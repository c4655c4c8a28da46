/**
 * Class: bodies that no route could describe. Root cause: the reading of a body knew four formats, one charset, one Content-Type each and
 * no coding, and a method named in the body was refused before the route that asks for it was looked at.
 */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { charset } from '../../src/disclosure/formats/shared/charsets.ts';
import { type ExchangeCase, exchanges } from '../cases/exchanges.ts';
import { layoutOf } from '../../src/disclosure/media.ts';
import { routeWarnings } from '../../src/routing/warnings.ts';
import { ask, codeOf, JSON_TYPE, route, routerOf, routesConfig } from '../routing/setup.ts';

const writes = (request: object, more: object = {}) =>
  routerOf(route('POST /c', { action: 'create', request, ...more }));
const post = (
  router: ReturnType<typeof writes>,
  body: string | Uint8Array,
  type: string,
  headers: object = {},
) => ask(router, 'POST', '/c', { body, type, headers: headers as Record<string, string> });

describe('a body of a format', () => {
  const form = 'multipart/form-data; boundary=b';
  const part = (name: string, content: string, more = ''): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;

  test.each([
    [
      'xml',
      'text/xml',
      '<c><phone k="v">1</phone><tag>a</tag><tag>b</tag><none/></c>',
      { record: '/c' },
      ['/none', '/phone', '/phone/@k', '/tag'],
    ],
    ['ndjson', 'application/x-ndjson', '{"a":1}\r\n{"b":[2]}\n', {}, ['/a', '/b/*']],
    ['csv', 'text/csv', 'a,b\r\n1,"x,""y"\n', {}, ['/a', '/b']],
    [
      'csv',
      'text/csv',
      '1\t\\N\n',
      { options: { separator: '\t', header: false, quote: '', null: '\\N' } },
      ['/#1', '/#2'],
    ],
    [
      'multipart',
      form,
      `${part('a', '1')}${part('f', 'bytes', '; filename="x.png"')}--b--\r\n`,
      {},
      ['/a', '/f', '/f/@filename'],
    ],
    [
      'multipart',
      form,
      `--b\r\nContent-Disposition: form-data; name="m"\r\nContent-Type: application/json\r\n\r\n{"x":{"y":1}}\r\n--b--`,
      {},
      ['/m/x/y'],
    ],
    ['json', 'text/plain', '{"a":1}', { types: ['text/plain'] }, ['/a']],
  ])('is read as %s (%s), field by field', (format, type, body, more, fields) => {
    expect(post(writes({ format, ...more }), body, type).bodyFields).toEqual(fields);
  });

  test.each([
    ['xml', 'text/xml', '<!DOCTYPE c><c/>'],
    ['xml', 'text/xml', '<c><!-- x --><phone>1</phone></c>'],
    ['xml', 'text/xml', '<c><phone>1<x/></phone></c>'],
    ['xml', 'text/xml', '<c xmlns:o="urn:o"><o:phone>1</o:phone></c>'],
    ['xml', 'text/xml', '<c xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="Admin"/>'],
    ['xml', 'text/xml', '<?xml version="1.0" encoding="gbk"?><c/>'],
    ['ndjson', 'application/x-ndjson', '{"a":1}\n\n{"a":2}\n'],
    ['ndjson', 'application/x-ndjson', '{"a":1,"a":2}\n'],
    ['ndjson', 'application/x-ndjson', '{"a":1}\r{"b":2}\n'],
    ['csv', 'text/csv', 'a,a\n1,2\n'],
    ['csv', 'text/csv', 'a,b\n1\n'],
    ['csv', 'text/csv', 'a,b\n1,2\n\n3,4\n'],
    ['csv', 'text/csv', 'a,b\n1,"2\n'],
    ['csv', 'text/csv', 'a,b\n1,x"2"\n'],
    ['csv', 'text/csv', 'a,b\n1,"2"x\n'],
    ['csv', 'text/csv', 'a, b\n1,2\n'],
    ['csv', 'text/csv', '\ufeffa,b\n1,2\n'],
    ['csv', 'text/csv', '#2,b\n1,2\n'],
    ['csv', 'text/csv', 'a,b\r1,2\r'],
    ['multipart', form, `${part('a', '1')}${part('a', '2')}--b--\r\n`],
    ['multipart', form, `preamble\r\n${part('a', '1')}--b--\r\n`],
    ['multipart', form, `${part('a', '1')}--b--\r\nmore`],
    ['multipart', form, part('a', '1\n--b\nContent-Disposition: form-data; name="x"\n\n2').concat('--b--')],
    ['multipart', form, part('a', '1', "; filename*=UTF-8''x").concat('--b--')],
    ['multipart', form, part('_charset_', 'gbk').concat('--b--')],
    [
      'multipart',
      form,
      '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: application/xml\r\n\r\n<x/>\r\n--b--',
    ],
    [
      'multipart',
      form,
      '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--b--',
    ],
    ['multipart', `${form}; boundary=c`, `${part('a', '1')}--b--`],
    ['multipart', 'multipart/form-data', `${part('a', '1')}--b--`],
    ['json', 'text/plain', '{"a":1}'],
    ['json', 'application/json; charset=gbk', '{"a":1}'],
  ])('is refused as %s (%s) where it could be read in two ways: %j', (format, type, body) => {
    const router = writes({ format, ...(format === 'xml' ? { record: '/c' } : {}) });
    expect(codeOf(router, 'POST', '/c', { body, type })).toBe('body_unreadable');
  });

  test('is not one that the upstream would take for another', () => {
    const faults = (request: object): string => {
      try {
        routesConfig([route('POST /c', { action: 'create', request })]);
      } catch (e) {
        return (e as Error).message;
      }
      return '';
    };
    expect(faults({ types: ['application/x-www-form-urlencoded'] })).toContain(
      'request.types[0]: is a media type of form',
    );
    expect(faults({ format: 'xml' })).toContain('request.record: a route that writes XML must have');
    expect(faults({ options: { separator: ';' } })).toContain('request.options: ');
    expect(faults({ format: 'csv', options: { separator: ';', quote: ';' } })).toContain('request.options: ');
  });
});

describe('a compressed body', () => {
  const router = writes({ content_encoding: ['gzip', 'deflate', 'br'] });
  const body = '{"a": 1}';

  test.each([
    ['gzip', gzipSync(body)],
    ['x-gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['br', brotliCompressSync(body)],
  ])('is read and forwarded as what it unpacks to: %s', (coding, bytes) => {
    const selected = post(router, bytes, JSON_TYPE, { 'content-encoding': coding });
    expect(selected.bodyFields).toEqual(['/a']);
    expect(Buffer.from(selected.bytes!).toString()).toBe(body);
  });

  test.each([
    [
      'a coding that the route does not take',
      writes({}),
      gzipSync(body),
      'gzip',
      'body_encoding_unsupported',
    ],
    ['a chain of codings', router, gzipSync(gzipSync(body)), 'gzip, gzip', 'body_encoding_unsupported'],
    ['another coding than it says', router, gzipSync(body), 'br', 'body_unreadable'],
    [
      'something behind its end',
      router,
      Buffer.concat([gzipSync(body), Buffer.from('x')]),
      'gzip',
      'body_unreadable',
    ],
    ['an end that is missing', router, gzipSync(body).subarray(0, -4), 'gzip', 'body_unreadable'],
    ['a bomb', router, gzipSync(Buffer.alloc(8 * 1024 * 1024, 0x20)), 'gzip', 'body_too_large'],
  ] as const)('is refused with %s', (_, to, bytes, coding, code) => {
    expect(
      codeOf(to, 'POST', '/c', { body: bytes, type: JSON_TYPE, headers: { 'content-encoding': coding } }),
    ).toBe(code);
  });
});

describe('a charset of requests', () => {
  const gbk = charset('gbk');
  const search = routerOf(
    route('GET /c', {
      action: 'search',
      query_fields: { 姓名: '/name', n: '/name' },
      request: { charset: 'gbk' },
    }),
    route('GET /u', { action: 'search', query_fields: { n: '/name' } }),
  );
  const percent = (text: string): string =>
    [...gbk.encode(text)].map((b) => (b === 0x41 ? 'A' : `%${b.toString(16)}`)).join('');

  test('is what the query is percent-encoded in, there and back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('张', '丂', '誠', '矨', 'a', ' ', '&', '=', '%'), { maxLength: 6 }),
        (chars) => {
          const text = chars.join('');
          const { upstreamTarget, queryFields } = ask(
            search,
            'GET',
            `/c?${percent('姓名')}=${percent(text)}`,
          );
          expect(queryFields).toEqual(['/name']);
          const value = upstreamTarget.split('=')[1]!;
          const bytes = value.replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
            String.fromCharCode(Number.parseInt(hex, 16)),
          );
          expect(gbk.decode(Buffer.from(bytes, 'latin1'))).toBe(text);
        },
      ),
    );
    expect(codeOf(search, 'GET', '/c?n=%D5')).toBe('request_malformed');
    expect(codeOf(search, 'GET', '/u?n=%D5%C5')).toBe('request_malformed');
    expect(ask(search, 'GET', '/u?n=%E5%BC%A0').upstreamTarget).toBe('/u?n=%E5%BC%A0');
  });

  test.each([
    ['json', 'application/json; charset=GBK', '{"name":"丂\\\\"}', {}],
    ['json', 'application/json', '{"name":"丂"}', {}],
    ['form', 'application/x-www-form-urlencoded', 'name=%81%40', {}],
    ['xml', 'text/xml', '<?xml version="1.0" encoding="gb2312"?><c><name>丂</name></c>', { record: '/c' }],
    ['csv', 'text/csv', 'name\n"丂,"\n', {}],
  ])('is that of a body: %s (%s)', (format, type, body, more) => {
    const router = writes({ format, charset: 'gbk', ...more });
    expect(post(router, gbk.encode(body), type).bodyFields).toEqual(['/name']);
  });

  test.each([
    ['json', 'application/json; charset=utf-8', gbk.encode('{"name":"丂"}')],
    ['json', 'application/json', Buffer.from([0x22, 0x81, 0x22])],
    ['xml', 'text/xml', gbk.encode('<c><name>丂</name></c>')],
    ['xml', 'text/xml; charset=gbk', gbk.encode('<?xml version="1.0" encoding="utf-8"?><c/>')],
  ])('is not another one for the next reader: %s (%s)', (format, type, body) => {
    const router = writes({ format, charset: 'gbk', ...(format === 'xml' ? { record: '/c' } : {}) });
    expect(codeOf(router, 'POST', '/c', { body, type })).toBe('body_unreadable');
  });
});

describe('a method named in the body', () => {
  const parse = routerOf(
    route('POST /classes/c', {
      action: 'search',
      when: { body: { '/_method': 'GET' } },
      request: { types: ['text/plain'], params: ['/_ApplicationId', '/limit'] },
    }),
    route('POST /classes/c', {
      action: 'update',
      when: { body: { '/_method': 'PUT' } },
      request: { types: ['text/plain'], params: ['/_ApplicationId'] },
    }),
    route('POST /f', {
      action: 'delete',
      when: { body: { '/_method': 'DELETE' } },
      request: { format: 'form' },
    }),
  );
  const sent = (body: object) => ({ body: JSON.stringify(body), type: 'text/plain' });

  test('is honoured where the route asks for it, and is no field that is written', () => {
    expect(
      ask(parse, 'POST', '/classes/c', sent({ _method: 'GET', _ApplicationId: 'x', limit: 1 })).action,
    ).toBe('search');
    const put = ask(parse, 'POST', '/classes/c', sent({ _method: 'PUT', _ApplicationId: 'x', phone: '1' }));
    expect([put.action, put.bodyFields, put.written]).toEqual(['update', ['/phone'], { phone: '1' }]);
    expect(
      ask(parse, 'POST', '/f', { body: '_method=DELETE', type: 'application/x-www-form-urlencoded' }).action,
    ).toBe('delete');
  });

  test.each([
    [{ _method: 'DELETE' }, 'route_unknown'],
    [{ _method: 'get' }, 'route_unknown'],
    [{ _method: 'GET', 'X-HTTP-Method-Override': 'DELETE' }, 'method_override_refused'],
    [{ _method: 'GET', _Method: 'DELETE' }, 'method_override_refused'],
    [{ _method: 'GET', where: {} }, 'query_parameter_unknown'],
  ])('is refused otherwise: %j', (body, code) => {
    expect(codeOf(parse, 'POST', '/classes/c', sent(body))).toBe(code);
  });

  test.each([
    ['read', 'DELETE'],
    ['update', 'GET'],
    ['create', 'DELETE'],
    ['delete', 'PUT'],
    ['read', 'get'],
  ])('must be one that does what the action says: %s, %s', (action, method) => {
    const given = route('POST /c', { action, when: { body: { '/_method': method } } }) as {
      [key: string]: unknown;
    };
    expect(() => routesConfig([given])).toThrow(/_method/);
  });
});

test('a member that the route calls no field is warned of where the catalog has it', () => {
  const catalog = {
    resource: 'customer',
    data_subject: [],
    attributes: {},
    fields: { '/phone': { category: 'contact', grade: 3 } },
    envelope: {},
  };
  const warned = (params: readonly string[], more: object = {}): number =>
    routeWarnings(
      routesConfig([route('POST /c', { action: 'create', request: { params, ...more } })]),
      new Map([['customer', catalog]]),
      layoutOf,
    ).filter(({ key }) => key.join('.') === 'request.params.0').length;
  expect([
    warned(['/phone']),
    warned(['/phone/**']),
    warned(['/_x']),
    warned(['/phone'], { record: '/c' }),
  ]).toEqual([1, 1, 0, 0]);
});

describe('a SOAP operation without parameters', () => {
  const soap = routerOf(
    route('POST /s', { when: { body: { '/operation': 'GetAll' } }, request: { format: 'soap' } }),
    route('POST /t', {
      when: { headers: { SOAPAction: 'urn:crm#GetAll' }, body: { '/operation': 'GetAll' } },
      request: { format: 'soap' },
    }),
  );
  const envelope = (body: string): string =>
    `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>${body}</e:Body></e:Envelope>`;
  const call = (to: string, body: string, soapaction?: string) =>
    codeOf(soap, 'POST', to, {
      body: envelope(body),
      type: 'text/xml',
      headers: soapaction === undefined ? {} : { soapaction },
    });

  test.each(['<GetAll/>', '<GetAll></GetAll>', '<x:GetAll xmlns:x="urn:x">\n</x:GetAll>'])(
    'needs no parameters in its route: %s',
    (body) => {
      expect(call('/s', body)).toBe('routed');
    },
  );

  test('may have an empty Body where its action is one that the route names', () => {
    expect(call('/t', '', '"urn:crm#GetAll"')).toBe('routed');
    expect(call('/s', '', '"urn:crm#GetAll"')).toBe('body_unreadable');
    expect(call('/t', '', '"urn:crm#Delete"')).toBe('route_unknown');
    expect(call('/t', '<DeleteAll/>', '"urn:crm#GetAll"')).toBe('route_unknown');
  });

  test('has no others', () => {
    expect(call('/s', '<GetAll><Id>1</Id></GetAll>')).toBe('query_parameter_unknown');
    expect(call('/s', '<GetAll id="1"/>')).toBe('query_parameter_unknown');
  });
});

const CATALOG = `
resource: customer
data_subject: /id
fields:
  /id: { category: reference, grade: 1 }
  /phone: { category: contact, grade: 3, mask: phone }
  /phone/@kind: { category: contact, grade: 3 }
  /items/[name=tel]/value: { category: contact, grade: 3 }
  /items/*/name: { category: reference, grade: 1 }
  /name: { category: identity, grade: 3, mask: person_name }
`;
const sends = (
  name: string,
  route: { readonly request: object },
  request: object,
  wanted: object,
): ExchangeCase =>
  ({
    name,
    class: 'B5',
    catalog: CATALOG,
    route: {
      match: 'PUT /c/{id}',
      resource: 'customer',
      action: 'update',
      id: '{id}',
      data_subject: '{id}',
      ...route,
      request: { replaces: false, ...route.request },
    },
    roles: { support: { contact: 'use', reference: 'use', identity: 'recognise' } },
    request: { method: 'PUT', path: '/c/C1', ...request },
    upstream: { status: 204 },
    expect: wanted,
  }) as ExchangeCase;

const FORMATS: readonly [string, string, object, (phone: string, more: string) => string][] = [
  [
    'XML',
    'text/xml',
    { format: 'xml', record: '/c' },
    (phone, more) => `<c>\n<phone kind="m">${phone}</phone>${more === '' ? '' : `<${more}>x</${more}>`}</c>`,
  ],
  [
    'NDJSON',
    'application/x-ndjson',
    { format: 'ndjson' },
    (phone, more) => `{"phone" : "${phone}"${more === '' ? '' : `,"${more}":"x"`}}\n`,
  ],
  [
    'CSV',
    'text/csv',
    { format: 'csv' },
    (phone, more) => `phone${more === '' ? '' : `,${more}`}\r\n"${phone}"${more === '' ? '' : ',x'}\r\n`,
  ],
  [
    'multipart',
    'multipart/form-data; boundary="b"',
    { format: 'multipart' },
    (phone, more) =>
      `--b\r\nContent-Disposition: form-data; name="phone"\r\n\r\n${phone}\r\n${more === '' ? '' : `--b\r\nContent-Disposition: form-data; name="${more}"\r\n\r\nx\r\n`}--b--\r\n`,
  ],
  [
    'JSON as text',
    'text/plain',
    { types: ['text/plain'] },
    (phone, more) => `{"phone" : "${phone}"${more === '' ? '' : `,"${more}":"x"`}}`,
  ],
];

const CASES: readonly ExchangeCase[] = FORMATS.flatMap(([name, type, request, body]) => {
  const of = (phone: string, more: string) => ({
    headers: { 'content-type': type },
    body: body(phone, more),
  });
  return [
    sends(`${name}: what may be written is forwarded byte for byte`, { request }, of('13812345678', ''), {
      status: 204,
      upstream_body: body('13812345678', ''),
    }),
    sends(`${name}: a field that no line names is refused`, { request }, of('13812345678', 'salary'), {
      status: 403,
      upstream_not_called: true,
    }),
    sends(`${name}: a field that the role may not write is refused`, { request }, of('13812345678', 'name'), {
      status: 403,
      upstream_not_called: true,
    }),
  ];
});

describe('the whole product', () => {
  test('holds every format to the same rules', async () => {
    const repeated =
      '<c><items><item><name>tel</name><value>1</value></item><item><name>tel</name><value>2</value></item></items></c>';
    const cases = [
      ...CASES,
      sends(
        'repeated elements are one field each',
        { request: { format: 'xml', record: '/c' } },
        { headers: { 'content-type': 'text/xml' }, body: repeated },
        { status: 204, upstream_body: repeated },
      ),
      sends(
        'a picked element is the one that its sibling names',
        { request: { format: 'xml', record: '/c' } },
        {
          headers: { 'content-type': 'text/xml' },
          body: repeated.replace('tel</name><value>2', 'iban</name><value>2'),
        },
        { status: 403, upstream_not_called: true },
      ),
      sends(
        'a compressed body is forwarded as it was checked',
        { request: { content_encoding: ['gzip'] } },
        {
          headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
          body_base64: gzipSync('{"phone":"1"}').toString('base64'),
        },
        { status: 204, upstream_body: '{"phone":"1"}' },
      ),
    ];
    const failed: string[] = [];
    for await (const { name, faults } of exchanges(cases))
      failed.push(...faults.map((fault) => `${name}: ${fault}`));
    expect(failed).toEqual([]);
  });
});
