/**
 * Class: leaving refused fields out of a write erases what is stored. Root cause: the body was stripped by the program that discloses
 * answers, which knows a record only as a whole body, leaves empty containers and takes elements out of lists.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { without } from '../../src/disclosure/guard/strip.ts';
import type { Place } from '../../src/disclosure/guard/leaf.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText } from '../support/wire.ts';

const OPEN = { category: 'open', grade: 1 };
const HIDDEN = { category: 'hidden', grade: 1 };
let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const route = { upstream: 'crm', resource: 'user', action: 'update' };
  const request = { refused_fields: 'strip', replaces: false };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      user: {
        fields: {
          '/mail': OPEN,
          '/lastname': HIDDEN,
          '/o/secret': HIDDEN,
          '/o/city': OPEN,
          '/list/*/a': OPEN,
          '/list/*/b': HIDDEN,
          '/phone': { ...OPEN, mask: 'phone' },
        },
      },
    },
    answers: { user: { '*': answer({ 'open/1': 'disclose', 'hidden/1': 'drop' }) } },
    routes: [
      { ...route, match: 'PATCH /plain', request },
      { ...route, match: 'PATCH /wrapped', request: { ...request, record: '/user', params: ['/v'] } },
      { ...route, match: 'PATCH /bulk', request: { ...request, record: '/rows/*' } },
      { ...route, match: 'PATCH /rpc', request: { ...request, record: '/params/1', params: ['/params/0'] } },
    ],
  });
});
beforeEach(() => {
  upstream.received.length = 0;
  upstream.answer = answers('{}');
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

const patch = (path: string, body: string): Promise<Answer> =>
  exchange(
    running.port,
    requestText(`PATCH ${path}`, { ...running.caller, 'Content-Type': 'application/json' }, body),
  );

describe('of a body that the route strips', () => {
  test.each([
    [
      'the record alone is stripped',
      '/wrapped',
      '{"user":{"lastname":"Zed","mail":"a"}}',
      '{"user":{"mail":"a"}}',
    ],
    [
      'what stands around the record stays',
      '/wrapped',
      '{"v":1.0, "user":{"mail":"a" , "lastname":"Z"} }',
      '{"v":1.0, "user":{"mail":"a"} }',
    ],
    [
      'every record is stripped',
      '/bulk',
      '{"rows":[{"lastname":"Z","mail":"a"},{"mail":"b","x":1}]}',
      '{"rows":[{"mail":"a"},{"mail":"b"}]}',
    ],
    [
      'a record at a position is stripped',
      '/rpc',
      '{"params":[ 1,{"lastname":"Z","mail":"a"}]}',
      '{"params":[ 1,{"mail":"a"}]}',
    ],
    ['an object that became empty goes too', '/plain', '{"mail":"a","o":{"secret":1}}', '{"mail":"a"}'],
    ['an object that keeps a member stays', '/plain', '{"o":{"secret":1, "city":"x"}}', '{"o":{"city":"x"}}'],
    ['an unknown object goes whole', '/plain', '{"u":{"a":{"b":[]}},"mail":"a"}', '{"mail":"a"}'],
    [
      'a masked value goes',
      '/wrapped',
      '{"user":{"phone":"138****5678","mail":"a"}}',
      '{"user":{"mail":"a"}}',
    ],
    [
      'a record of which nothing stays is still there',
      '/wrapped',
      '{"user":{"o":{"secret":1}}}',
      '{"user":{}}',
    ],
  ])('%s', async (_what, path, body, expected) => {
    await patch(path, body);
    expect(upstream.received.map((r) => r.body.toString())).toEqual([expected]);
  });

  test.each([
    ['a refused member in a list', '/plain', '{"list":[{"a":1,"b":2}]}', 'body_field_refused'],
    ['an unknown element of a list', '/wrapped', '{"user":{"tags":["x"]}}', 'body_field_refused'],
    ['a record that is none', '/wrapped', '{"user":"x"}', 'body_field_refused'],
  ])('nothing is written where it has %s', async (_what, path, body, code) => {
    expect(jsonOf(await patch(path, body))).toMatchObject({ status: 403, code });
    expect(upstream.received).toEqual([]);
  });
});

test('the places that are left out are gone, no container is emptied by it, and all else stays byte for byte', () => {
  const json = fc.letrec<{ value: unknown; object: object }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.jsonValue({ maxDepth: 1 }), tie('object')),
    object: fc.dictionary(fc.string({ maxLength: 4 }), tie('value'), { maxKeys: 4 }),
  })).object;
  fc.assert(
    fc.property(json, fc.array(fc.nat(), { maxLength: 4 }), fc.nat(3), (object, picks, indent) => {
      const text = JSON.stringify(object, null, indent);
      const places = membersOf(object, []);
      const gone = places.length === 0 ? [] : picks.map((n) => places[n % places.length]!);
      const left = Buffer.from(without(Buffer.from(text), gone, [])).toString();
      expect(JSON.parse(left)).toEqual(pruned(JSON.parse(text), gone));
      if (gone.length === 0) expect(left).toBe(text);
    }),
  );
});

/** places of members of objects that are in no list */
function membersOf(node: unknown, place: Place): Place[] {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return [];
  return Object.entries(node).flatMap(([key, member]) => [
    [...place, key],
    ...membersOf(member, [...place, key]),
  ]);
}

function pruned(value: unknown, gone: readonly Place[]): unknown {
  const out = new Set(gone.map((place) => JSON.stringify(place)));
  const walk = (node: unknown, place: Place): unknown => {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return node;
    const kept = Object.entries(node).flatMap(([key, member]) => {
      const at = [...place, key];
      if (out.has(JSON.stringify(at))) return [];
      const left = walk(member, at);
      return left === undefined ? [] : [[key, left] as const];
    });
    const emptied = kept.length === 0 && Object.keys(node).length > 0 && place.length > 0;
    return emptied ? undefined : Object.fromEntries(kept);
  };
  return walk(value, []);
}
