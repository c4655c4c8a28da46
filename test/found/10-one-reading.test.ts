/**
 * An answer of the policy may spell the pointer of a field otherwise than the catalog does (`/~2phone` is `/phone`, the keys of a selector stand in any
 * order). Disclosure went by the meaning, and searches by the spelling: a field that an answer hid so could be searched by.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

const OPEN = { category: 'open', grade: 1 };
const LISTED = '/values/[lang=en,name=phone]/value';
let upstream: HostileUpstream;
let running: Running;

const resource = (pointer: string) => ({ data_subject: [], fields: { '/id': OPEN, [pointer]: OPEN } });
const CASES = [
  ['plain', '/phone', '/~2phone', 'drop'],
  ['listed', LISTED, '/values/[name=phone,lang=en]/value', 'mask'],
  // named twice, the stricter holds
  ['twice', '/phone', '/~2phone', 'drop'],
] as const;

beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = answers('{"items":[{"id":1,"phone":"13812345678"}]}');
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      ...Object.fromEntries(CASES.map(([name, pointer]) => [name, resource(pointer)])),
      holder: { data_subject: [], fields: { '/id': OPEN, '/plain': { resource: 'plain' } } },
    },
    answers: {
      ...Object.fromEntries(
        CASES.map(([name, pointer, spelled, does]) => [
          name,
          {
            '*': answer(
              { 'open/1': 'disclose' },
              { [spelled]: does, ...(name === 'twice' ? { [pointer]: 'disclose' } : {}) },
            ),
          },
        ]),
      ),
      // an answer can leave an embedded resource out and never open it
      holder: { '*': answer({ 'open/1': 'disclose' }, { '/plain': 'disclose' }) },
    },
    routes: [
      ...CASES.map(([name, pointer]) => ({
        match: `GET /${name}`,
        upstream: 'crm',
        resource: name,
        action: 'search',
        records: '/items/*',
        query_fields: { find_by: pointer },
      })),
      ...CASES.map(([name]) => ({
        match: `PUT /${name}/{id}`,
        upstream: 'crm',
        resource: name,
        action: 'update',
        id: '{id}',
      })),
      {
        match: 'GET /holder',
        upstream: 'crm',
        resource: 'holder',
        action: 'search',
        records: '/items/*',
        query_fields: { find_by: '/plain' },
      },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

test.each([...CASES.map(([name]) => name), 'holder'])(
  'a search by a field that the answer hides by another spelling is refused (%s)',
  async (name) => {
    const got = await exchange(running.port, requestText(`GET /${name}?find_by=13812345678`, running.caller));
    expect(jsonOf(got)).toMatchObject({ code: 'query_field_withheld' });
  },
);

test.each(['plain', 'twice'])(
  'what is disclosed and what may be written go by the same reading (%s)',
  async (name) => {
    const read = await exchange(running.port, requestText(`GET /${name}`, running.caller));
    expect(textOf(read)).not.toContain('13812345678');
    const headers = { ...running.caller, 'Content-Type': 'application/json' };
    const written = await exchange(running.port, requestText(`PUT /${name}/1`, headers, '{"phone":"1"}'));
    expect(jsonOf(written)).toMatchObject({ code: 'body_field_refused' });
  },
);
