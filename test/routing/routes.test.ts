import { describe, expect, test } from 'vitest';
import { ask, codeOf, JSON_TYPE, route, routerOf } from './setup.ts';

describe('a path', () => {
  const router = routerOf(
    route('GET /api/customers/{id}', { id: '{id}' }),
    route('GET /api/customers/me'),
    route('GET /api/customers/{id}/notes/{note}', { id: '{note}', data_subject: '{id}' }),
    route('GET /files/{path...}'),
    route('GET /docs/{name}.pdf', { id: '{name}' }),
    route("GET /odata/Customers('{key}')", { id: '{key}' }),
    route('GET /n/{id}', { id: '{id}', params: { id: '[0-9]{1,6}' } }),
    route('GET /n/{word}', { resource: 'word' }),
    route('GET /a/{x}/c', { resource: 'left' }),
    route('GET /{y}/b/c', { resource: 'right' }),
  );

  test('gives its parameters, decoded once', () => {
    const { params, resource, upstreamTarget } = ask(router, 'GET', '/api/customers/%E5%BC%A0%20x');
    expect(params).toEqual({ id: '张 x' });
    expect(resource).toEqual({ type: 'customer', id: '张 x', properties: { source: 'crm' } });
    expect(upstreamTarget).toBe('/api/customers/%E5%BC%A0%20x');
  });
  test('is matched by text before parameters', () => {
    expect(ask(router, 'GET', '/api/customers/me').route.template).toBe('GET /api/customers/me');
  });
  test('is matched from the left: the first segment that differs decides', () => {
    expect(ask(router, 'GET', '/a/b/c').route.resource).toBe('left');
  });
  test('tells whose data it leads to', () => {
    const { dataSubject, resource } = ask(router, 'GET', '/api/customers/C1/notes/N1');
    expect(dataSubject).toBe('C1');
    expect(resource.id).toBe('N1');
  });
  test('may end in any number of segments', () => {
    expect(ask(router, 'GET', '/files/a/b/c').params).toEqual({ path: 'a/b/c' });
    expect(codeOf(router, 'GET', '/files')).toBe('route_unknown');
  });
  test('may have a parameter within a segment', () => {
    expect(ask(router, 'GET', '/docs/a.b.pdf').resource.id).toBe('a.b');
    expect(codeOf(router, 'GET', '/docs/.pdf')).toBe('route_unknown');
    expect(ask(router, 'GET', "/odata/Customers('ALFKI')").resource.id).toBe('ALFKI');
  });
  test('does not let a parameter within a segment break out of its quotes', () => {
    expect(codeOf(router, 'GET', "/odata/Customers('a',Other='b')")).toBe('route_unknown');
    expect(codeOf(router, 'GET', '/odata/Customers(%27a%27%27b%27)')).toBe('route_unknown');
  });
  test('is matched by a pattern as a whole', () => {
    expect(ask(router, 'GET', '/n/123').resource.id).toBe('123');
    expect(ask(router, 'GET', '/n/123x').route.resource).toBe('word');
    expect(ask(router, 'GET', '/n/1234567').route.resource).toBe('word');
  });
  test('is answered to HEAD as to GET', () => {
    expect(ask(router, 'HEAD', '/api/customers/me').route.method).toBe('GET');
  });
});

describe('conditions', () => {
  const legacy = routerOf(
    route('GET /index.php', {
      when: { query: { module: 'Contacts', action: 'DetailView' } },
      id: '{query:record}',
      resource: 'contact',
    }),
    route('GET /index.php', {
      when: { query: { module: 'Contacts', action: ['ListView', 'index'] } },
      resource: 'contact',
      action: 'search',
    }),
    route('GET /index.php', {
      when: { query: { module: 'Accounts' } },
      resource: 'account',
      action: 'search',
    }),
    route('GET /h', { when: { headers: { 'X-View': 'full' } }, resource: 'full' }),
    route('GET /h', { resource: 'plain' }),
  );
  test('on query parameters tell apart requests of one path', () => {
    const selected = ask(legacy, 'GET', '/index.php?module=Contacts&action=DetailView&record=12');
    expect(selected.resource).toMatchObject({ type: 'contact', id: '12' });
    expect(selected.upstreamTarget).toBe('/index.php?module=Contacts&action=DetailView&record=12');
    expect(ask(legacy, 'GET', '/index.php?action=index&module=Contacts').action).toBe('search');
    expect(ask(legacy, 'GET', '/index.php?module=Accounts').route.resource).toBe('account');
  });
  test('that none holds deny', () => {
    expect(codeOf(legacy, 'GET', '/index.php?module=Users')).toBe('route_unknown');
    expect(codeOf(legacy, 'GET', '/index.php')).toBe('route_unknown');
  });
  test('do not hold for a parameter that stands twice', () => {
    expect(codeOf(legacy, 'GET', '/index.php?module=Accounts&module=Users')).toBe('route_unknown');
  });
  test('make a route more specific than one without', () => {
    expect(ask(legacy, 'GET', '/h', { headers: { 'x-view': 'full' } }).route.resource).toBe('full');
    expect(ask(legacy, 'GET', '/h').route.resource).toBe('plain');
  });
  test('a record that the request does not name is refused', () => {
    expect(codeOf(legacy, 'GET', '/index.php?module=Contacts&action=DetailView')).toBe('request_malformed');
  });
});

describe('a body that searches', () => {
  const router = routerOf(
    route('POST /search', {
      action: 'search',
      request: { fields: { '/where/phone': '/phone', '/tags': '/tags' }, params: ['/page/size'] },
    }),
    route('POST /one', { id: '{body:/id}', when: { body: { '/op': 'get' } } }),
  );
  const fields = (body: string) => ask(router, 'POST', '/search', { body, type: JSON_TYPE }).queryFields;
  test.each(['{}', '{"where":{}}', '{"where":[],"page":{}}', '{"tags":[]}'])(
    'may have nothing where something could be: %s',
    (body) => {
      expect(fields(body)).toEqual(body.includes('tags') ? ['/tags'] : []);
    },
  );
  test.each(['{"other":{}}', '{"where":{"other":{}}}', '{"where":""}', 'null', '{"page":{"size":{"a":{}}}}'])(
    'has nothing elsewhere: %s',
    (body) => {
      expect(codeOf(router, 'POST', '/search', { body, type: JSON_TYPE })).toBe('query_parameter_unknown');
    },
  );
  test.each(['"C1 "', '"C1\\u0000"', '"\\u200bC1"', '"C1\\n"'])(
    'says no id that an upstream may read as another: %s',
    (id) => {
      const body = `{"op":"get","id":${id}}`;
      expect(codeOf(router, 'POST', '/one', { body, type: JSON_TYPE })).toBe('request_malformed');
    },
  );
});

describe('query parameters', () => {
  const router = routerOf(
    route('GET /c', {
      action: 'search',
      query_fields: { phone: '/phone', who: ['/name', '/email'] },
      query_params: ['limit'],
      query_values: { limit: '.*' },
    }),
  );
  test('name the fields that they search by', () => {
    expect(ask(router, 'GET', '/c?who=x&limit=5&phone=1').queryFields).toEqual(['/email', '/name', '/phone']);
    expect(ask(router, 'GET', '/c?limit=5').queryFields).toEqual([]);
  });
  test('count though they are empty', () => {
    expect(ask(router, 'GET', '/c?phone').queryFields).toEqual(['/phone']);
  });
  test('are written anew, in their order', () => {
    expect(ask(router, 'GET', '/c?who=a+b%3D&&limit=5;x').upstreamTarget).toBe('/c?who=a%20b%3D&limit=5%3Bx');
  });
});

describe('parameters of the path', () => {
  const router = routerOf(
    route('GET /by-phone/{phone}', { path_fields: { phone: '/phone' } }),
    route('GET /by/{field}/{value}', {
      params: { field: 'phone|email' },
      path_fields: { value: ['/phone', '/email'] },
      query_fields: { by: '/name' },
    }),
    route('GET /c/{id}', { id: '{id}', data_subject: '{id}' }),
  );
  test('name the fields that they search by', () => {
    expect(ask(router, 'GET', '/by-phone/138').queryFields).toEqual(['/phone']);
    expect(ask(router, 'GET', '/by/email/x').queryFields).toEqual(['/email', '/phone']);
    expect(ask(router, 'GET', '/by/email/x?by=a').queryFields).toEqual(['/email', '/name', '/phone']);
  });
  test.each(['C1%20', '%20C1', 'C1%C2%A0', 'C1%E3%80%80', 'C1%E2%80%8B', '%EF%BB%BFC1', 'C%C2%AD1'])(
    'say no id that an upstream may read as another: %s',
    (id) => {
      expect(codeOf(router, 'GET', `/c/${id}`)).toBe('request_malformed');
    },
  );
  test('may say an id with blanks within', () => {
    expect(ask(router, 'GET', '/c/C%201').resource.id).toBe('C 1');
  });
});

describe('JSON-RPC', () => {
  const METHOD = 'model.party.party.search_read';
  const router = routerOf(
    route('POST /crm/', {
      when: { body: { '/method': METHOD } },
      resource: 'party',
      action: 'search',
      records: '/result/*',
      request: {
        domains: {
          '/params/0': { name: '/name', phone: '/phone', 'party.code': '/code' },
          '/params/3': { name: '/name' },
        },
        params: ['/id', '/params/1', '/params/2', '/params/4/*', '/params/5/**'],
      },
    }),
    route('POST /crm/', {
      when: { body: { '/method': 'model.party.party.read' } },
      id: '{body:/params/0/0}',
      resource: 'party',
      request: { params: ['/id', '/params/1/*'] },
    }),
  );
  const call = (method: string, params: unknown[]) => ({
    body: JSON.stringify({ id: 1, method, params }),
    type: JSON_TYPE,
  });

  test('is routed by the method in the body', () => {
    expect(ask(router, 'POST', '/crm/', call(METHOD, [[], 0, 10])).route.action).toBe('search');
    expect(ask(router, 'POST', '/crm/', call('model.party.party.read', [[7], ['name']])).resource.id).toBe(
      '7',
    );
  });
  test('is undecided until the body is read', () => {
    const candidates = router.match('POST', '/crm/', {});
    expect(candidates).toMatchObject({ route: null });
  });
  test('names the fields that its search clauses and its order use', () => {
    const domain = [
      'OR',
      [
        ['name', 'ilike', '%x%'],
        ['party', 'where', [['code', '=', '1']]],
      ],
      [['phone', 'in', ['1', '2']]],
    ];
    expect(
      ask(router, 'POST', '/crm/', call(METHOD, [domain, 0, 10, [['name', 'ASC']], ['name'], { lang: 'zh' }]))
        .queryFields,
    ).toEqual(['/code', '/name', '/phone']);
  });
  test.each([
    ['a name that the route does not list', [['id_number', '=', '1']]],
    ['a name under a relation that the route does not list', [['other', 'where', [['code', '=', '1']]]]],
    ['something that is not a clause', ['name']],
    ['an object', { name: '1' }],
    ['an operator that is none', [['name', '; drop', '1']]],
    ['a name of the prototype', [['constructor', '=', '1']]],
  ])('is refused when it searches by %s', (_what, domain) => {
    expect(codeOf(router, 'POST', '/crm/', call(METHOD, [domain]))).toBe('query_parameter_unknown');
  });
  test.each([[[7.5]], [[true]], [[{}]], [[12345678901234567890n.toString()]]])(
    'takes no id from %j unless it is text or a whole number',
    (ids) => {
      const code = codeOf(router, 'POST', '/crm/', call('model.party.party.read', [ids]));
      expect(code).toBe(typeof ids[0] === 'string' ? 'routed' : 'body_unreadable');
    },
  );
  test('takes no id from a number that JavaScript cannot hold', () => {
    const body = '{"method":"model.party.party.read","params":[[12345678901234567890]]}';
    expect(codeOf(router, 'POST', '/crm/', { body, type: JSON_TYPE })).toBe('body_unreadable');
  });
});

describe('a write', () => {
  const router = routerOf(
    route('PUT /c/{id}', { action: 'update', id: '{id}' }),
    route('POST /wrapped', { action: 'create', request: { record: '/data/*', params: ['/meta/**'] } }),
    route('POST /form', { action: 'create', request: { format: 'form' }, repeatable: ['tag'] }),
  );
  test('names the fields that it writes, positions in lists as stars', () => {
    const body =
      '{"name":"x","address":{"city":"y"},"orders":[{"amount":1},{"amount":2}],"empty":{},"a/b~c":1}';
    const { bodyFields } = ask(router, 'PUT', '/c/1', { body, type: JSON_TYPE });
    expect(bodyFields).toEqual(['/address/city', '/a~1b~0c', '/empty', '/name', '/orders/*/amount'].sort());
  });
  test('names the fields of a record that stands deeper', () => {
    const body = '{"data":[{"name":"x"},{"phone":"1"}],"meta":{"v":1}}';
    expect(ask(router, 'POST', '/wrapped', { body, type: JSON_TYPE }).bodyFields).toEqual([
      '/name',
      '/phone',
    ]);
  });
  test('is refused with anything beside its record', () => {
    expect(
      codeOf(router, 'POST', '/wrapped', { body: '{"data":[{"name":"x"}],"role":"admin"}', type: JSON_TYPE }),
    ).toBe('query_parameter_unknown');
  });
  test('may be a form', () => {
    const asked = { body: 'name=x+y&tag=1&tag=2', type: 'application/x-www-form-urlencoded' };
    const { bodyFields, body } = ask(router, 'POST', '/form', asked);
    expect(bodyFields).toEqual(['/name', '/tag/*']);
    expect(body).toEqual({ name: 'x y', tag: ['1', '2'] });
  });
  test('may be empty', () => {
    expect(ask(router, 'PUT', '/c/1').bodyFields).toEqual([]);
  });
  test('is refused where its route says how to tell whose data it is, and it does not tell', () => {
    const by = { data_subject: '{query:customer}' };
    const asking = routerOf(
      route('PUT /orders/{id}', { action: 'update', ...by }),
      route('DELETE /orders/{id}', { action: 'delete', ...by }),
      route('GET /orders', { action: 'search', ...by }),
    );
    const body = { body: '{"phone":"1"}', type: JSON_TYPE };
    expect(codeOf(asking, 'PUT', '/orders/1', body)).toBe('request_malformed');
    expect(codeOf(asking, 'DELETE', '/orders/1')).toBe('request_malformed');
    expect(ask(asking, 'PUT', '/orders/1?customer=C1', body).dataSubject).toBe('C1');
    // the answer may say it
    expect(ask(asking, 'GET', '/orders').dataSubject).toBe(null);
  });
});

describe('XML-RPC and SOAP', () => {
  const router = routerOf(
    route('POST /x', {
      when: { body: { '/methodName': 'customer.find' } },
      action: 'search',
      request: { format: 'xmlrpc', fields: { '/params/0/phone': '/phone' }, params: ['/params/1'] },
    }),
    route('POST /s', {
      when: { body: { '/operation': 'FindCustomer' } },
      action: 'search',
      request: { format: 'soap', fields: { '/arguments/by/phone': '/phone', '/arguments/by/name': '/name' } },
    }),
  );
  test('name the fields that their arguments search by', () => {
    const xmlrpc =
      '<methodCall><methodName>customer.find</methodName><params><param><value><struct><member><name>phone</name><value>1</value></member></struct></value></param><param><value><i4>5</i4></value></param></params></methodCall>';
    const soap =
      '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><FindCustomer xmlns="urn:crm"><by><name>x</name></by></FindCustomer></e:Body></e:Envelope>';
    expect(ask(router, 'POST', '/x', { body: xmlrpc, type: 'text/xml' }).queryFields).toEqual(['/phone']);
    expect(
      ask(router, 'POST', '/s', { body: soap, type: 'application/soap+xml; action="FindCustomer"' })
        .queryFields,
    ).toEqual(['/name']);
  });
});

test('a base64 of XML-RPC is what the upstream makes of it, where that is a text', () => {
  const router = routerOf(
    route('POST /x', {
      when: { body: { '/methodName': 'update' } },
      action: 'update',
      data_subject: '{body:/params/0}',
      request: { format: 'xmlrpc', record: '/params/1', params: ['/params/0'] },
    }),
  );
  const call = (id: string, phone: string) => ({
    body: `<methodCall><methodName>update</methodName><params><param><value><base64>${id}</base64></value></param><param><value><struct><member><name>phone</name><value><base64>${phone}</base64></value></member></struct></value></param></params></methodCall>`,
    type: 'text/xml',
  });
  const given = ask(router, 'POST', '/x', call('QzE=', 'MTM4KioqKjU2\nNzg='));
  expect([given.dataSubject, given.body]).toMatchObject(['C1', { params: ['C1', { phone: '138****5678' }] }]);
  expect(ask(router, 'POST', '/x', call('QzE=', '/9j/')).body).toMatchObject({
    params: ['C1', { phone: '/9j/' }],
  });
  expect(codeOf(router, 'POST', '/x', call('QzE=', '138****5678'))).toBe('body_unreadable');
});

describe('two patterns at one place', () => {
  const router = routerOf(
    route('GET /p/{number}', { params: { number: '[0-9]+' }, resource: 'number' }),
    route('GET /p/{short}', { params: { short: '.{1,3}' }, resource: 'short' }),
    route('GET /p/{any}', { resource: 'any' }),
  );
  test('are told apart by what they match', () => {
    expect(ask(router, 'GET', '/p/12345').route.resource).toBe('number');
    expect(ask(router, 'GET', '/p/abc').route.resource).toBe('short');
    expect(ask(router, 'GET', '/p/abcd').route.resource).toBe('any');
  });
  test('deny a path that matches both', () => {
    expect(codeOf(router, 'GET', '/p/123')).toBe('route_unknown');
  });
});

test('each of a thousand routes under one prefix is found', () => {
  const router = routerOf(
    ...Array.from({ length: 1000 }, (_, i) =>
      route(`GET /api/r${i}/{id}`, { resource: `r${i}`, id: '{id}' }),
    ),
  );
  for (let i = 0; i < 1000; i++) expect(ask(router, 'GET', `/api/r${i}/7`).route.resource).toBe(`r${i}`);
});
