/** A write is held to what may be written of everybody whose record it could change: whom the route names, and whom the body names. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText } from '../support/wire.ts';

const OPEN = { category: 'open', grade: 1 };
let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const route = { upstream: 'crm', resource: 'contract', action: 'update' };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      sealed: { data_subject: '/id', fields: { '/id': OPEN } },
      contract: {
        data_subject: ['/holder/id', '/payer'],
        fields: { '/holder/id': OPEN, '/payer': OPEN, '/title': OPEN },
      },
    },
    answers: {
      contract: { '*': answer({ 'open/1': 'disclose' }) },
      sealed: {
        '*': {
          ...answer({ 'open/1': 'disclose' }),
          disclose: false,
          reasons: [{ code: 'sealed', message: 'Nobody.' }],
        },
      },
    },
    dataSubjects: { restricted: { flags: ['restricted'] }, '7': { flags: ['restricted'] } },
    routes: [
      { ...route, match: 'PUT /named/{id}', id: '{id}', data_subject: '{id}', request: { replaces: false } },
      { ...route, match: 'PUT /unnamed/{id}', id: '{id}', request: { replaces: false } },
      { ...route, match: 'DELETE /named/{id}', action: 'delete', id: '{id}', data_subject: '{id}' },
      { ...route, match: 'DELETE /other/{id}', action: 'delete', id: '{id}' },
      { ...route, resource: 'sealed', match: 'DELETE /sealed/{id}', action: 'delete', id: '{id}' },
      { ...route, resource: 'sealed', match: 'POST /sealed/{id}/open', id: '{id}' },
      { ...route, match: 'POST /empty/{id}', action: 'create', data_subject: '{id}' },
      { ...route, match: 'POST /bulk', request: { record: '/rows/*' } },
      { ...route, match: 'POST /strip', request: { refused_fields: 'strip' } },
      { ...route, match: 'POST /form', request: { format: 'form' } },
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

const write = (line: string, body: string, type = 'application/json'): Promise<Answer> =>
  exchange(running.port, requestText(line, { ...running.caller, 'Content-Type': type }, body));

test.each([
  ['as the route does, it may be written', 'PUT /named/C1', '{"payer":"C1","title":"x"}'],
  ['and the route nobody, it may be written', 'PUT /unnamed/K1', '{"payer":"C1","title":"x"}'],
  ['in every row, they may be written', 'POST /bulk', '{"rows":[{"payer":"C1","title":"x"},{"payer":2}]}'],
])('a body that names somebody unrestricted, %s', async (_what, line, body) => {
  await write(line, body);
  expect(upstream.received.map((r) => r.body.toString())).toEqual([body]);
});

test.each([
  ['beside somebody else in the route', 'PUT /named/C1', '{"payer":"restricted","title":"x"}'],
  ['where the route names nobody', 'PUT /unnamed/K1', '{"payer":"restricted","title":"x"}'],
  ['by a number', 'PUT /unnamed/K1', '{"payer":7,"title":"x"}'],
  ['deeper', 'PUT /named/C1', '{"holder":{"id":"restricted"},"title":"x"}'],
  ['beside somebody else in the body', 'PUT /unnamed/K1', '{"holder":{"id":"C1"},"payer":"restricted"}'],
  ['in one row of several', 'POST /bulk', '{"rows":[{"payer":"C1","title":"x"},{"payer":"restricted"}]}'],
  ['in a list', 'PUT /unnamed/K1', '{"payer":["C1","restricted"],"title":"x"}'],
  ['with blanks around the id', 'PUT /unnamed/K1', '{"payer":" restricted ","title":"x"}'],
])('a body that names somebody restricted %s is refused', async (_what, line, body) => {
  const refused = await write(line, body);
  expect(jsonOf(refused)).toMatchObject({ status: 403, code: 'body_field_refused' });
  expect(upstream.received).toEqual([]);
});

test.each(['PUT /named/restricted', 'DELETE /named/restricted', 'POST /empty/restricted'])(
  'a write without a body about somebody restricted (%s) is refused, and the record says why',
  async (line) => {
    const refused = await exchange(running.port, requestText(line, running.caller));
    expect(jsonOf(refused)).toMatchObject({
      status: 403,
      code: 'record_withheld',
      reasons: [{ code: 'record_withheld' }, { code: 'restricted' }],
    });
    expect(upstream.received).toEqual([]);
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'denied',
      reasons: [{}, { code: 'restricted' }],
    });
  },
);

test.each(['PUT /named/C1', 'DELETE /named/C1', 'DELETE /other/restricted'])(
  'a write without a body about somebody else, or about nobody (%s), goes through',
  async (line) => {
    await exchange(running.port, requestText(line, running.caller));
    expect(upstream.received).toHaveLength(1);
  },
);

test.each(['DELETE /sealed/C1', 'POST /sealed/C1/open'])(
  'a write without a body that names nobody (%s) is judged as one about a person of whom nothing is known',
  async (line) => {
    const refused = await exchange(running.port, requestText(line, running.caller));
    expect(jsonOf(refused)).toMatchObject({
      status: 403,
      code: 'record_withheld',
      reasons: [{ code: 'record_withheld' }, { code: 'sealed' }],
    });
    expect(upstream.received).toEqual([]);
  },
);

test('a form that names somebody restricted is refused', async () => {
  const refused = await write('POST /form', 'payer=restricted&title=x', 'application/x-www-form-urlencoded');
  expect(jsonOf(refused)['code']).toBe('body_field_refused');
  expect(upstream.received).toEqual([]);
});

test('where the route strips, nothing is left of a body that names somebody restricted', async () => {
  await write('POST /strip', '{"payer":"restricted","title":"x"}');
  expect(upstream.received.map((r) => r.body.toString())).toEqual(['{}']);
});

test.each(['9007199254740993', '7.5', '1e400'])(
  'a body that names somebody by the number %s is unreadable: upstream it may be another',
  async (number) => {
    const refused = await write('PUT /unnamed/K1', `{"payer":${number}}`);
    expect(jsonOf(refused)).toMatchObject({ status: 400, code: 'body_unreadable' });
    expect(upstream.received).toEqual([]);
  },
);
