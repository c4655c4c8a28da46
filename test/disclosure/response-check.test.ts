/** What a route says of its answers is tried at the start, and what it may say of an upstream's Content-Type. */
import { describe, expect, test } from 'vitest';
import { mediaOf } from '../../src/disclosure/media.ts';
import { responseFault } from '../../src/disclosure/response-check.ts';

const fault = (response: Parameters<typeof responseFault>[0]): string => {
  const found = responseFault(response);
  return found === null ? '' : `${found.key}: ${found.message}`;
};

describe('a route’s response', () => {
  test.each([
    [{ format: 'csv', options: { headr: false } }, /^options: .*no option "headr"; it has header/],
    [{ format: 'csv', options: { header: 'no' } }, /^options: The option header is one of/],
    [{ format: 'csv', options: { separator: ';;' } }, /^options: .*separator/],
    [{ format: 'csv', options: { skip: -1 } }, /^options: .*skip/],
    [{ format: 'xml', options: { header: false } }, /^options: .*no option "header"/],
    [{ format: 'csv', charset: 'gb1803', options: {} }, /^charset: .*charset/],
    [{ charset: 'klingon', options: {} }, /^charset: .*charset/],
    [{ format: 'json', charset: 'gbkk', options: {} }, /^charset: .*charset/],
    [{ format: 'whole', options: {} }, /^options: The option types/],
    [{ format: 'whole', options: { types: ['image/*'], field: '/photo' } }, /^options: The option types/],
    [{ format: 'whole', options: { types: ['image/png'] } }, /^options: The option field/],
    [
      { format: 'whole', options: { types: ['image/png'], field: '/photos/*' } },
      /^options: The option field/,
    ],
    [
      { format: 'whole', options: { types: ['image/png'], field: '/p', records: '/x' } },
      /no option "records"/,
    ],
  ] as const)('%j is a fault of the configuration', (response, message) => {
    expect(fault(response)).toMatch(message);
  });

  test.each([
    { options: {} },
    { format: 'csv', charset: 'gb18030', options: { header: false, separator: ';' } },
    { format: 'xml', options: { namespaces: { c: 'urn:crm' } } },
    { format: 'multipart', options: {} },
    { format: 'json', options: {} },
    { format: 'whole', options: { field: '/id_card/front', types: ['image/png', 'image/jpeg'] } },
  ] as const)('%j is sound', (response) => {
    expect(fault(response)).toBe('');
  });

  test('JSON that an old system calls text/html is read as JSON where the route says so', () => {
    const headers = { 'content-type': 'text/html; charset=UTF-8' };
    expect(mediaOf(headers, { format: 'json', charset: null })).toMatchObject({
      format: 'json',
      contentType: 'application/json',
    });
    expect(() => mediaOf(headers)).toThrow('response.format');
  });

  test.each(['csv', 'xml', 'form'] as const)('a page is never taken for %s', (format) => {
    expect(() => mediaOf({ 'content-type': 'text/html' }, { format, charset: null })).toThrow('page');
  });

  test.each([
    ['text/csv; charset', 'text/csv'],
    ['text/csv; charset=""', 'text/csv'],
    ["text/csv; charset='u.t f-8'", 'text/csv; charset=utf-8'],
    ['text/csv; charset="GB_2312-80"', 'text/csv; charset=gb_2312-80'],
    ['text/csv; charset=UTF-8; x=13812345678', 'text/csv; charset=utf-8'],
  ])('of %j leaves %j', (type, contentType) => {
    expect(mediaOf({ 'content-type': type })).toMatchObject({ format: 'csv', contentType });
  });

  test('JSON text sequences are said to be unsupported: their record separator is not JSON', () => {
    expect(() => mediaOf({ 'content-type': 'application/json-seq' })).toThrow('cannot look into');
  });
});
