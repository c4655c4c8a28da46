import { describe, expect, test } from 'vitest';
import { ask, codeOf, JSON_TYPE, route, routerOf } from '../setup.ts';
import { holdsTable } from './table.ts';

const fields = { name: '/name', phone: '/phone', 'address.city': '/address/city', place: '/place' };

describe('parse', () =>
  holdsTable({
    grammar: 'parse',
    at: 'where',
    fields,
    accepted: [
      ['where=', []],
      ['where={}', []],
      ['where={"name":"Li"}', ['/name']],
      ['where={"name":null,"phone":[1,2]}', ['/name', '/phone']],
      ['where={"phone":{"$regex":"^2","$options":"i"}}', ['/phone']],
      ['where={"$or":[{"name":"Li"},{"$and":[{"phone":{"$in":["1"]}}]}]}', ['/name', '/phone']],
      ['where={"phone":{"__type":"Date","iso":"2026-01-01T00:00:00Z"}}', ['/phone']],
      ['where={"phone":{"$lt":{"__type":"Date","iso":"2026-01-01T00:00:00Z"}}}', ['/phone']],
      ['where={"address.city":"x"}', ['/address/city']],
      [
        'where={"place":{"$nearSphere":{"__type":"GeoPoint","latitude":1,"longitude":2},"$maxDistance":3}}',
        ['/place'],
      ],
      ['where={"na\\u006de":"x"}', ['/name']],
    ],
    refused: [
      'where={"ssn":{"$regex":"^2"}}',
      'where={"s\\u0073n":"x"}',
      'where={"name":"x","ssn":null}',
      'where={"$or":[{"name":"x"},{"ssn":"x"}]}',
      'where={"$or":{"ssn":"x"}}',
      'where={"name":{"$inQuery":{"where":{"ssn":"x"},"className":"B"}}}',
      'where={"name":{"$select":{"query":{"className":"B","where":{}},"key":"ssn"}}}',
      'where={"$relatedTo":{"object":{},"key":"ssn"}}',
      'where={"$where":"this.ssn"}',
      'where={"name":{"$where":"this.ssn"}}',
      'where={"name":{"$text":{"$search":{"$term":"ssn"}}}}',
      'where={"name":{"$eq":{"ssn":1}}}',
      'where={"name":{"$in":[{"ssn":1}]}}',
      'where={"name":{"x":1}}',
      'where={"name":{}}',
      'where={"name":{"$eq":"a","x":1}}',
      'where={"name":{"__type":"Object","ssn":1}}',
      'where={"name":{"__type":"Date","iso":{"$gt":"ssn"}}}',
      'where={"name":"a","name":{"$regex":"^2"}}',
      'where={"address":{"city":"x"}}',
      'where={"name":"a"} {"ssn":1}',
      "where={'ssn':1}",
      'where={ssn:1}',
      'where=["ssn"]',
      'where="ssn"',
      'where=ssn',
      'where[ssn]=1',
      'where[]={"name":1}',
      'where={"__proto__":{"ssn":1}}',
      'where={"name":1}&where={"ssn":1}',
      `where=${'{"$or":['.repeat(30)}{"name":1}${']}'.repeat(30)}`,
    ],
  }));

describe('mongo', () =>
  holdsTable({
    grammar: 'mongo',
    at: 'filter',
    fields: { ...fields, orders: '/orders', 'orders.amount': '/orders/*/amount' },
    accepted: [
      ['filter={"phone":{"$not":{"$regex":"^2"}}}', ['/phone']],
      ['filter={"orders":{"$elemMatch":{"amount":{"$gt":5}}}}', ['/orders', '/orders/*/amount']],
      [
        'filter={"phone":{"$in":[{"$oid":"1"}]},"name":{"$gt":{"$date":{"$numberLong":"1"}}}}',
        ['/name', '/phone'],
      ],
    ],
    refused: [
      'filter={"$expr":{"$gt":["$ssn",1]}}',
      'filter={"$jsonSchema":{}}',
      'filter={"$text":{"$search":"ssn"}}',
      'filter={"$comment":"ssn"}',
      'filter={"phone":{"$not":{"ssn":1}}}',
      'filter={"orders":{"$elemMatch":{"ssn":1}}}',
      'filter={"orders":{"$elemMatch":{"$where":"ssn"}}}',
      'filter={"phone":{"$gt":{"$date":{"ssn":"1"}}}}',
      'filter={"phone":{"$function":{"body":"ssn"}}}',
    ],
  }));

describe('directus', () =>
  holdsTable({
    grammar: 'directus',
    at: 'filter',
    fields: { ...fields, 'agent.name': '/agent/name', 'year(born)': '/born' },
    accepted: [
      ['filter={"phone":{"_starts_with":"138"}}', ['/phone']],
      ['filter={"_and":[{"phone":{"_null":true}},{"_or":[{"name":"x"}]}]}', ['/name', '/phone']],
      ['filter={"agent":{"name":{"_in":["a","b"]}}}', ['/agent/name']],
      ['filter={"agent":{"_some":{"name":{"_eq":"a"}}}}', ['/agent/name']],
      ['filter={"year(born)":{"_eq":1990}}', ['/born']],
      ['filter[phone][_starts_with]=138', ['/phone']],
      ['filter[_and][0][phone][_in][]=1&filter[_and][1][name][_eq]=x', ['/name', '/phone']],
      ['filter[agent][name][_eq]=x', ['/agent/name']],
      ['filter[phone][_gt]=$NOW', ['/phone']],
    ],
    refused: [
      'filter={"ssn":{"_eq":1}}',
      'filter={"phone":{"_eq":1},"ssn":{"_eq":1}}',
      'filter={"_or":[{"ssn":{"_eq":1}}]}',
      'filter={"_or":{"ssn":{"_eq":1}}}',
      'filter={"_eq":1}',
      'filter={"phone":{"_eq":{"ssn":1}}}',
      'filter={"phone":{"_intersects":{"ssn":1}}}',
      'filter={"phone":{"_x":1}}',
      'filter={"phone":{}}',
      'filter={"agent":{"ssn":{"_eq":1}}}',
      'filter={"agent.name":{"_eq":1}}',
      'filter={"phone":{"_eq":"$CURRENT_USER.ssn"}}',
      'filter={"phone":{"_eq":"$FOLLOW(ssn)"}}',
      'filter[ssn][_eq]=1',
      'filter[phone]=ssn',
      'filter[phone]=ssn&filter[phone][_eq]=1',
      'filter=ssn&filter[phone][_eq]=1',
      'filter={}&filter[phone][_eq]=1',
      'filter[phone][_eq]=1&filter={"name":1}',
      'filter[phone][_eq][ssn]=1',
      'filter[phone][_in][ssn]=1',
      'filter[_and][ssn][_eq]=1',
      'filter[_and][x][phone][_eq]=1',
      'filter[][phone][_eq]=1',
      'filter[phone][_eq]x=1',
      'filter[phone][[_eq]]=1',
      'filter[phone[_eq]=1',
      'filter.phone._eq=1',
      'filter%5Bphone%5D%5B_eq%5D=1',
      'filter[phone][_eq]=1&filter[phone][_eq]=2',
      'filter[_eq]=1',
      'filter[agent.name][_eq]=1',
      'filter[agent][_some]=1',
    ],
  }));

describe('a search in a body', () => {
  const router = routerOf(
    route('POST /find', {
      action: 'search',
      request: {
        grammar: {
          '/where': { grammar: 'parse', fields },
          '/order': { grammar: 'sort', fields },
          '/keys': { grammar: 'select' },
        },
        params: ['/limit'],
      },
    }),
  );
  const find = (body: unknown): readonly string[] =>
    ask(router, 'POST', '/find', { body: JSON.stringify(body), type: JSON_TYPE }).queryFields;
  test('goes by the fields that its members name', () => {
    expect(find({ where: { phone: { $gt: '1' } }, order: '-name', limit: 1, keys: 'ssn' })).toEqual([
      '/name',
      '/phone',
    ]);
    expect(find({ where: '{"phone":1}' })).toEqual(['/phone']);
  });
  test.each([
    { where: { ssn: 1 } },
    { where: { phone: { $inQuery: {} } } },
    { where: '{"ssn":1}' },
    { where: [{ ssn: 1 }] },
    { where: 7 },
    { order: 'ssn' },
    { order: { ssn: 1 } },
    { keys: 'name:ssn' },
    { hidden: { ssn: 1 } },
  ])('%j is refused', (body) => {
    expect(codeOf(router, 'POST', '/find', { body: JSON.stringify(body), type: JSON_TYPE })).toBe(
      'query_parameter_unknown',
    );
  });
});
