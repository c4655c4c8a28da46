/** Ways to say one thing to Sluice and another to the upstream: methods, parameters, bodies. */
import { describe, expect, test } from 'vitest';
import { codeOf, JSON_TYPE, route, routerOf } from '../routing/setup.ts';

const FORM = 'application/x-www-form-urlencoded';
const METHOD = 'model.party.party.search_read';
const router = routerOf(
  route('GET /api/customers', {
    action: 'search',
    query_fields: { phone: '/phone' },
    query_params: ['limit'],
    repeatable: ['limit'],
  }),
  route('POST /form', { action: 'update', request: { format: 'form' } }),
  route('POST /rpc', {
    action: 'search',
    when: { body: { '/method': METHOD } },
    request: { params: ['/id'] },
  }),
  route('POST /soap', {
    action: 'read',
    when: { body: { '/operation': 'GetCustomer' } },
    id: '{body:/arguments/id}',
    request: { format: 'soap' },
  }),
  route('POST /xmlrpc', {
    action: 'read',
    when: { body: { '/methodName': 'customer.info' } },
    id: '{body:/params/0}',
    request: { format: 'xmlrpc' },
  }),
);
const rpc = (body: string | Uint8Array, type = JSON_TYPE) => codeOf(router, 'POST', '/rpc', { body, type });

describe('a method override is refused', () => {
  test.each(['x-http-method-override', 'x-http-method', 'x-method-override'])('in the header %s', (name) => {
    expect(codeOf(router, 'GET', '/api/customers', { headers: { [name]: 'DELETE' } })).toBe(
      'method_override_refused',
    );
  });
  test.each([
    '_method=DELETE',
    '_METHOD=DELETE',
    '%5fmethod=DELETE',
    '_method',
    'limit=1&_method=PUT',
    'X-HTTP-Method-Override=PUT',
  ])('in the query %s', (query) => {
    expect(codeOf(router, 'GET', `/api/customers?${query}`)).toBe('method_override_refused');
  });
  test.each(['{"_method":"DELETE"}', '{"a":{},"_METHOD":"PUT"}', '{"X-HTTP-Method-Override":"PUT"}'])(
    'in a JSON body, whatever the route lets through: %s',
    (body) => {
      const anything = routerOf(route('POST /any', { action: 'search', request: { params: ['/**'] } }));
      expect(codeOf(anything, 'POST', '/any', { body, type: JSON_TYPE })).toBe('method_override_refused');
      expect(
        codeOf(anything, 'POST', '/any', { body: '{"method":"x","a":{"_method":1}}', type: JSON_TYPE }),
      ).toBe('routed');
    },
  );
  test('in a form', () => {
    expect(codeOf(router, 'POST', '/form', { body: 'name=x&_method=DELETE', type: FORM })).toBe(
      'method_override_refused',
    );
  });
});

test('a form with a semicolon is refused: it is forwarded as it stands, and old readers take it for "&"', () => {
  expect(codeOf(router, 'POST', '/form', { body: 'name=x;phone=1', type: FORM })).toBe('body_unreadable');
  expect(codeOf(router, 'POST', '/form', { body: 'name=x%3Bphone=1', type: FORM })).toBe('routed');
});

describe('a query parameter', () => {
  test.each([
    ['that no route names', 'sort=phone', 'query_parameter_unknown'],
    ['in other capitals', 'Phone=1', 'query_parameter_unknown'],
    ['with brackets (PHP, Rails)', 'phone[]=1', 'query_parameter_unknown'],
    ['with a space in its name (PHP reads an underscore)', 'ph%20one=1', 'query_parameter_unknown'],
    ['hidden behind a semicolon', 'limit=1;phone=2', 'query_parameter_unknown'],
    ['hidden behind an encoded semicolon', 'limit=1%3Bphone=2', 'query_parameter_unknown'],
    ['hidden behind what a second decoding makes an &', 'limit=1%2526phone=2', 'query_parameter_unknown'],
    ['that stands twice', 'phone=1&phone=2', 'request_malformed'],
    ['that stands twice, once encoded', 'phone=1&%70hone=2', 'request_malformed'],
    ['that may stand twice', 'limit=1&limit=2', 'routed'],
    ['that is not UTF-8', 'phone=%ff', 'request_malformed'],
    ['with a NUL', 'phone=1%00', 'request_malformed'],
    ['without a name', '=1', 'query_parameter_unknown'],
  ])('%s', (_what, query, code) => {
    expect(codeOf(router, 'GET', `/api/customers?${query}`)).toBe(code);
  });
  test('flood is refused', () => {
    expect(codeOf(router, 'GET', `/api/customers?${'limit=1&'.repeat(300)}`)).toBe('request_malformed');
  });
});

describe('a JSON body is refused', () => {
  test.each([
    ['that names its method twice', `{"method":"${METHOD}","method":"model.res.user.delete"}`],
    [
      'that names its method twice, once escaped',
      `{"method":"${METHOD}","\\u006dethod":"model.res.user.delete"}`,
    ],
    ['with a duplicate name deep inside', `{"method":"${METHOD}","id":{"a":[{"b":1,"b":2}]}}`],
    ['with a comment', `{"method":"${METHOD}"/**/}`],
    ['with a trailing comma', `{"method":"${METHOD}",}`],
    ['with text after it', `{"method":"${METHOD}"}{}`],
    ['with NaN', `{"method":"${METHOD}","id":NaN}`],
    ['with a byte order mark', `\ufeff{"method":"${METHOD}"}`],
    ['with single quotes', `{'method':'${METHOD}'}`],
  ])('%s', (_what, body) => {
    expect(rpc(body)).toBe('body_unreadable');
  });
  test('that is not UTF-8', () => {
    expect(
      rpc(
        Buffer.concat([Buffer.from(`{"method":"${METHOD}","id":"`), Buffer.from([0xff]), Buffer.from('"}')]),
      ),
    ).toBe('body_unreadable');
  });
  test('in UTF-16', () => {
    expect(rpc(Buffer.from(`{"method":"${METHOD}"}`, 'utf16le'))).toBe('body_unreadable');
  });
  test('that is nested too deeply', () => {
    expect(rpc(`{"method":"${METHOD}","id":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)).toBe(
      'body_unreadable',
    );
  });
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    '',
    'text/xml',
    'application/json; charset=utf-16',
    'application/json; charset=utf-8; charset=utf-7',
    'application/json; charset =utf-7',
    "application/json; charset*=utf-7''x",
  ])('under the content type %j', (type) => {
    expect(rpc(`{"method":"${METHOD}"}`, type)).toBe('body_unreadable');
  });
  test('that is compressed', () => {
    const asked = {
      body: `{"method":"${METHOD}"}`,
      type: JSON_TYPE,
      headers: { 'content-encoding': 'gzip' },
    };
    expect(codeOf(router, 'POST', '/rpc', asked)).toBe('body_encoding_unsupported');
  });
  test.each([
    ['another method', '{"method":"model.res.user.delete"}'],
    ['a batch', `[{"method":"${METHOD}"}]`],
    ['a list where the method should be', `{"method":["${METHOD}"]}`],
    ['no method', '{}'],
    ['the method only on its prototype', `{"__proto__":{"method":"${METHOD}"}}`],
    ['the method in other capitals', `{"Method":"${METHOD}"}`],
  ])('with %s, since no route describes it', (_what, body) => {
    expect(rpc(body)).toBe('route_unknown');
  });
  test('with the method a second time in other capitals (Go reads either)', () => {
    expect(rpc(`{"method":"${METHOD}","Method":"model.res.user.delete"}`)).toBe('query_parameter_unknown');
  });
  test('with a member that the route does not name: it may search by a hidden field', () => {
    expect(rpc(`{"method":"${METHOD}","params":[[["phone","=","1"]]]}`)).toBe('query_parameter_unknown');
  });
  test('that is empty', () => {
    expect(rpc('')).toBe('route_unknown');
  });
});

test('a body is refused where the route takes none', () => {
  expect(codeOf(router, 'GET', '/api/customers', { body: '{"phone":"1"}', type: JSON_TYPE })).toBe(
    'body_unreadable',
  );
});

describe('an XML body', () => {
  const call = (inner: string, prolog = '') =>
    codeOf(router, 'POST', '/xmlrpc', {
      body: `${prolog}<methodCall>${inner}</methodCall>`,
      type: 'text/xml',
    });
  const good =
    '<methodName>customer.info</methodName><params><param><value><int>7</int></value></param></params>';
  test('that is as it should be is routed', () => {
    expect(call(good, '<?xml version="1.0"?>')).toBe('routed');
  });
  test.each([
    ['names its method twice', `<methodName>customer.info</methodName>${good}`, ''],
    ['splits its method by a comment', good.replace('customer.info', 'customer.info<!-- -->.x'), ''],
    ['has a processing instruction', `<?x y?>${good}`, ''],
    ['has a document type', good, '<!DOCTYPE methodCall>'],
    [
      'defines an entity (XXE)',
      good.replace('customer.info', '&x;'),
      '<!DOCTYPE methodCall [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
    ['uses an entity that nobody defined', good.replace('customer.info', '&x;'), ''],
    ['is in another encoding', good, '<?xml version="1.0" encoding="ISO-8859-1"?>'],
    ['has two values in one parameter', good.replace('<value>', '<value/><value>'), ''],
    ['has a number that is none', good.replace('>7<', '>0x7<'), ''],
    ['is in a namespace', good.replace('<methodName>', '<methodName xmlns="urn:x">'), ''],
    ['is not closed', good.replace('</params>', ''), ''],
  ])('that %s is refused', (_what, inner, prolog) => {
    expect(call(inner, prolog)).toBe('body_unreadable');
  });
  test('whose method has spaces around it is no known one', () => {
    expect(call(good.replace('customer.info', ' customer.info '))).toBe('route_unknown');
  });
  test('with an argument that the route does not name is refused', () => {
    expect(call(good.replace('</params>', '<param><value>x</value></param></params>'))).toBe(
      'query_parameter_unknown',
    );
  });
});

describe('a SOAP call', () => {
  const envelope = (body: string, header = '', ns = 'http://schemas.xmlsoap.org/soap/envelope/') =>
    `<s:Envelope xmlns:s="${ns}">${header}<s:Body>${body}</s:Body></s:Envelope>`;
  const operation = '<GetCustomer xmlns="urn:crm"><id>7</id></GetCustomer>';
  const call = (body: string, action?: string) =>
    codeOf(router, 'POST', '/soap', {
      body,
      type: 'text/xml; charset=utf-8',
      headers: action === undefined ? {} : { soapaction: action },
    });
  test('that is as it should be is routed', () => {
    expect(call(envelope(operation))).toBe('routed');
    expect(call(envelope(operation), '"urn:crm#GetCustomer"')).toBe('routed');
    expect(call(envelope(operation, '', 'http://www.w3.org/2003/05/soap-envelope'), '""')).toBe('routed');
  });
  test('whose SOAPAction says another operation is refused', () => {
    expect(call(envelope(operation), '"urn:crm#DeleteCustomer"')).toBe('body_unreadable');
    expect(call(envelope(operation), '"urn:crm#XGetCustomer"')).toBe('body_unreadable');
    expect(call(envelope(operation), '"urn:crm#DeleteCustomer", "urn:crm#GetCustomer"')).toBe(
      'body_unreadable',
    );
  });
  test('whose content type says another operation is refused, whatever the SOAPAction says', () => {
    const asked = (type: string): string =>
      codeOf(router, 'POST', '/soap', {
        body: envelope(operation),
        type,
        headers: { soapaction: '"urn:crm#GetCustomer"' },
      });
    expect(asked('application/soap+xml; action="urn:crm#GetCustomer"')).toBe('routed');
    expect(asked('application/soap+xml; action="urn:crm#DeleteCustomer"')).toBe('body_unreadable');
    expect(asked('application/soap+xml; action="urn:crm#GetCustomer"; action=DeleteCustomer')).toBe(
      'body_unreadable',
    );
  });
  test('whose content type says an operation in a spelling of its own is refused', () => {
    const asked = (parameter: string): string =>
      codeOf(router, 'POST', '/soap', {
        body: envelope(operation),
        type: `application/soap+xml; ${parameter}`,
      });
    expect(asked("action*=utf-8''urn%3Acrm%23DeleteCustomer")).toBe('body_unreadable');
    expect(asked('action*0="urn:crm#Delete"; action*1="Customer"')).toBe('body_unreadable');
  });
  test.each(['http://www.w3.org/2005/08/addressing', 'http://schemas.xmlsoap.org/ws/2004/08/addressing'])(
    'whose WS-Addressing header says another operation is refused (%s)',
    (ns) => {
      const addressed = routerOf(
        route('POST /soap', {
          when: { body: { '/operation': 'GetCustomer' } },
          request: { format: 'soap', params: ['/header/**', '/arguments/id'] },
        }),
      );
      const asked = (action: string): string =>
        codeOf(addressed, 'POST', '/soap', {
          body: envelope(operation, `<s:Header><Action xmlns="${ns}">${action}</Action></s:Header>`),
          type: 'text/xml',
        });
      expect(asked('urn:crm#GetCustomer')).toBe('routed');
      expect(asked('http://crm.example/Customers/GetCustomerRequest')).toBe('routed');
      expect(asked('urn:crm#DeleteCustomer')).toBe('body_unreadable');
    },
  );
  test('whose message is called after its operation is that operation', () => {
    const messages = routerOf(
      route('POST /soap', {
        when: { body: { '/operation': 'GetCustomerRequest' } },
        request: { format: 'soap', params: ['/arguments/id'] },
      }),
    );
    const asked = (action: string): string =>
      codeOf(messages, 'POST', '/soap', {
        body: envelope(operation.replaceAll('GetCustomer', 'GetCustomerRequest')),
        type: 'text/xml',
        headers: { soapaction: action },
      });
    expect(asked('"urn:crm/GetCustomer"')).toBe('routed');
    expect(asked('"urn:crm/GetCustomerRequest"')).toBe('routed');
    expect(asked('"urn:crm/DeleteCustomer"')).toBe('body_unreadable');
    expect(asked('"urn:crm/Request"')).toBe('body_unreadable');
  });
  test('whose SOAPAction the route names may be called otherwise than its operation', () => {
    const named = routerOf(
      route('POST /soap', {
        when: { headers: { SOAPAction: 'urn:crm/C-17' }, body: { '/operation': 'GetCustomer' } },
        request: { format: 'soap', params: ['/arguments/id'] },
      }),
      route('POST /soap', {
        when: { body: { '/operation': 'DeleteCustomer' } },
        action: 'delete',
        request: { format: 'soap', params: ['/arguments/id'] },
      }),
    );
    const asked = (body: string, action: string): string =>
      codeOf(named, 'POST', '/soap', { body, type: 'text/xml', headers: { soapaction: action } });
    expect(asked(envelope(operation), '"urn:crm/C-17"')).toBe('routed');
    expect(asked(envelope(operation), '"urn:crm/C-18"')).not.toBe('routed');
    const deletes = envelope(operation.replaceAll('GetCustomer', 'DeleteCustomer'));
    expect(asked(deletes, '"urn:crm/C-17"')).not.toBe('routed');
    expect(asked(deletes, '"urn:crm/DeleteCustomer"')).toBe('routed');
  });
  test.each([
    ['has two operations', envelope(`${operation}<DeleteCustomer xmlns="urn:crm"/>`)],
    [
      'has two bodies',
      envelope(operation).replace('</s:Envelope>', `<s:Body>${operation}</s:Body></s:Envelope>`),
    ],
    ['is in a made-up namespace', envelope(operation, '', 'urn:not-soap')],
    ['is no envelope', operation],
  ])('that %s is refused', (_what, body) => {
    expect(call(body)).toBe('body_unreadable');
  });
  test('with an argument that the route does not name is refused', () => {
    expect(call(envelope(operation.replace('</id>', '</id><phone>1</phone>')))).toBe(
      'query_parameter_unknown',
    );
  });
  test('with a header that the route does not name is refused', () => {
    expect(call(envelope(operation, '<s:Header><as xmlns="urn:x">admin</as></s:Header>'))).toBe(
      'query_parameter_unknown',
    );
  });
  test('that gives the id twice is refused', () => {
    expect(call(envelope(operation.replace('</id>', '</id><id>8</id>')))).not.toBe('routed');
  });
});

describe('a value to search by in a body', () => {
  const search = (pointer: string) =>
    routerOf(route('POST /find', { action: 'search', request: { fields: { [pointer]: '/name' } } }));
  const code = (pointer: string, name: unknown): string =>
    codeOf(search(pointer), 'POST', '/find', { body: JSON.stringify({ name }), type: JSON_TYPE });

  test.each([['Ada'], [7], [null], [['Ada', 'Eve']], [[]], [{}]])('may be %j', (value) => {
    expect(code('/name', value)).toBe('routed');
  });
  test.each([[{ $where: 'this.phone' }], [[{ phone: '1' }]], [[['Ada'], { phone: '1' }]]])(
    'may not be %j: its members may name other fields',
    (value) => {
      expect(code('/name', value)).toBe('query_parameter_unknown');
    },
  );
  test('may be an object where the route names its members, or all below it', () => {
    expect(code('/name/like', { like: 'A%' })).toBe('routed');
    expect(code('/name/like', { like: 'A%', phone: '1' })).toBe('query_parameter_unknown');
    expect(code('/name/**', { like: { any: 'A%' } })).toBe('routed');
  });
});
