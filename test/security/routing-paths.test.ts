/** Request targets that two servers are known to read differently: each is refused, whatever route it may be meant for. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ask, codeOf, route, routerOf } from '../routing/setup.ts';

const router = routerOf(
  route('GET /api/customers/{id}', { id: '{id}' }),
  route('GET /api/customers', {
    query_fields: { name: '/name' },
    query_params: ['limit'],
    query_values: { name: '(?s).*', limit: '(?s).*' },
  }),
  route('GET /files/{path...}'),
  route('GET /'),
);

describe('a path is refused', () => {
  test.each([
    ['an empty segment', '/api//customers/1'],
    ['an empty segment at the start', '//api/customers/1'],
    ['another host, as two slashes are read', '//evil.example/api/customers/1'],
    ['a dot segment', '/api/./customers/1'],
    ['a double-dot segment', '/public/../api/customers/1'],
    ['an encoded dot segment', '/api/%2e/customers/1'],
    ['an encoded double-dot segment', '/public/%2e%2e/api/customers/1'],
    ['a half-encoded double-dot segment', '/public/.%2E/api/customers/1'],
    ['three dots, which some file systems read as two', '/files/.../x'],
    ['dots and a space, which Windows trims', '/files/..%20/x'],
    ['an encoded slash', '/api/customers/1%2f2'],
    ['an encoded slash in capitals', '/api/customers/1%2F2'],
    ['a backslash', '/api\\customers/1'],
    ['an encoded backslash', '/api/customers/..%5cadmin'],
    ['path parameters', '/api/customers;a=b/1'],
    ['path parameters after dots (Tomcat)', '/public/..;/api/customers/1'],
    ['an encoded semicolon', '/api/customers/1%3bjsessionid=1'],
    ['a control character', '/api/customers/1%0a2'],
    ['a NUL', '/api/customers/1%00.json'],
    ['DEL', '/api/customers/%7f'],
    ['a C1 control character', '/api/customers/%c2%85'],
    ['a raw space', '/api/customers/1 2'],
    ['a fragment', '/api/customers/1#x'],
    ['a broken escape', '/api/customers/%zz'],
    ['half an escape', '/api/customers/%4'],
    ['bytes that are not UTF-8', '/api/customers/%ff'],
    ['an overlong slash', '/api/customers/..%c0%af..'],
    ['a surrogate in UTF-8', '/api/customers/%ed%a0%80'],
    ['double encoding', '/api/customers/%252e%252e'],
    ['double encoding of a slash', '/api/customers/1%252f2'],
    ['a fullwidth slash', '/api/customers/1%ef%bc%8f2'],
    ['fullwidth dots', '/api/customers/%ef%bc%8e%ef%bc%8e'],
    ['raw bytes above ASCII', '/api/customers/\u00e9'],
    ['a quote', '/api/customers/"1"'],
    ['angle brackets', '/api/customers/<1>'],
    ['the asterisk form', '*'],
    ['the authority form', 'crm.example:443'],
    ['nothing', ''],
    ['no slash', 'api/customers/1'],
    ['another host in absolute form', 'http://evil.example/api/customers/1'],
    ['credentials in absolute form', 'http://crm.example@evil.example/api/customers/1'],
    ['another scheme', 'ftp://crm.example/api/customers/1'],
  ])('with %s', (_what, target) => {
    expect(codeOf(router, 'GET', target)).toBe('path_not_canonical');
  });

  test('longer than the limit', () => {
    expect(codeOf(router, 'GET', `/api/customers/${'1'.repeat(9000)}`)).toBe('path_not_canonical');
  });
});

test('the absolute form is taken for the host that the caller is talking to', () => {
  expect(codeOf(router, 'GET', 'http://crm.example/api/customers/1')).toBe('routed');
  expect(codeOf(router, 'GET', 'http://CRM.example')).toBe('routed');
});

test.each(['/API/customers/1', '/api/customers/1/', '/api/customers/', '/api/customer', '/api', '/admin'])(
  'no route is guessed for %s',
  (target) => {
    expect(codeOf(router, 'GET', target)).toBe('route_unknown');
  },
);

test.each(['get', 'Get', 'POST', 'TRACE', 'OPTIONS', 'PUT', 'GET\u0000'])(
  'no route is guessed for the method %j',
  (method) => {
    expect(codeOf(router, method, '/api/customers/1')).toBe('method_not_allowed');
  },
);

test('what is forwarded is read by the URL standard exactly as it was understood here', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(
      text,
      fc.array(fc.tuple(fc.constantFrom('name', 'limit'), text), { maxLength: 2 }),
      (id, query) => {
        const target = `/api/customers${query.length > 0 ? `?${query.map(([n, v]) => `${n}=${encodeURIComponent(v)}`).join('&')}` : ''}`;
        const one = `/api/customers/${encodeURIComponent(id)}`;
        if (
          new Set(query.map(([n]) => n)).size === query.length &&
          !query.some(([, v]) => v.includes('\0'))
        ) {
          const url = new URL(`http://h${ask(router, 'GET', target).upstreamTarget}`);
          expect([...url.searchParams]).toEqual(query);
        }
        let selected: ReturnType<typeof ask> | null = null;
        try {
          selected = ask(router, 'GET', one);
        } catch {
          return;
        }
        const url = new URL(`http://h${selected.upstreamTarget}`);
        expect(url.pathname).toBe(selected.upstreamTarget);
        expect(url.pathname.split('/').map(decodeURIComponent)).toEqual(['', 'api', 'customers', id]);
        expect(selected.resource.id).toBe(id);
      },
    ),
    { numRuns: 500 },
  );
});

test('arbitrary targets are routed or refused with a code, and never as another path than the one forwarded', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '/',
      '..',
      '.',
      '%2e',
      '%2f',
      '%5c',
      ';',
      '//',
      'api',
      'customers',
      'files',
      '?',
      '#',
      '%',
      '%25',
      '\\',
      '1',
      ' ',
    ),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const target = `/${pieces.join('')}`;
      if (codeOf(router, 'GET', target) !== 'routed') return;
      const { upstreamTarget, route: found } = ask(router, 'GET', target);
      const { pathname } = new URL(`http://h${upstreamTarget}`);
      expect(pathname).toBe(upstreamTarget.split('?')[0]);
      expect(ask(router, 'GET', upstreamTarget).route.template).toBe(found.template);
    }),
    { numRuns: 2000 },
  );
});
