/** An upstream that pauses within its answer: the caller gets what it would get without the pause, and the record says the same. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunks, type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { CUSTOMER, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, headerOf, requestText } from '../support/wire.ts';

/** longer than the time after which the bytes that are ready are released (`idle_ms`) */
const PAUSE = 1_300;
const BODIES = {
  json: (id: string) => ['{"code":0,"data":', `{"id":"${id}","name":"Name"}`, '}'],
  xml: (id: string) => ['<r><data>', `<id>${id}</id><name>Name</name></data>`, '</r>'],
  list: (id: string) => ['{"note":1,"items":[', `{"id":"${id}","name":"Name"}`, ']}'],
} as const;
type Format = keyof typeof BODIES;

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = ({ target }, socket) => {
    const [, format = '', , id = '', at = ''] = target.split(/[/?]/);
    const pieces = BODIES[format as Format](id);
    const head = {
      'Content-Type': format === 'xml' ? 'application/xml' : 'application/json',
      'Transfer-Encoding': 'chunked',
    };
    const encoded = (text: string) => chunks(Buffer.from(text));
    const first = pieces.slice(0, Number(at)).join('');
    const end = encoded('');
    const begin = first === '' ? Buffer.alloc(0) : encoded(first).subarray(0, -end.length);
    socket.write(Buffer.concat([reply('', head), begin]));
    const rest = encoded(pieces.slice(Number(at)).join(''));
    if (first === '') socket.write(rest);
    else setTimeout(() => socket.write(rest), PAUSE);
  };
  const routes = (['json', 'xml'] as const).flatMap((format) => {
    const of = { upstream: 'crm', resource: 'customer', records: format === 'xml' ? '/r/data' : '/data' };
    return [
      { ...of, match: `GET /${format}/read/{n}/{at}`, action: 'read' },
      { ...of, match: `GET /${format}/found/{n}/{at}`, action: 'read', query_fields: { name: '/name' } },
    ];
  });
  const list = { upstream: 'crm', resource: 'customer', action: 'search', records: '/items/*' };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: { customer: { ...CUSTOMER, envelope: {} } },
    dataSubjects: { W2: { flags: ['restricted'] } },
    routes: [
      ...routes,
      {
        ...list,
        match: 'GET /list/found/{n}/{at}',
        query_fields: { name: '/name' },
        response: { empty: '{"none":true}' },
      },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

const NAMES = ['json/read', 'json/found', 'xml/read', 'xml/found', 'list/found'] as const;
const told = ({ status, complete, body }: Answer) => ({
  status,
  complete,
  body: status === 200 ? body.toString() : '',
});

test.concurrent.each(NAMES)('a pause before or behind the record changes nothing: %s', async (name) => {
  const asked = async (id: string, at: number) => {
    const answer = await exchange(
      running.port,
      requestText(`GET /${name}/${id}/${at}${name.endsWith('found') ? '?name=Name' : ''}`, running.caller),
      { timeout: 9_000 },
    );
    const parts = running
      .records()
      .filter((r) => r.decision_id === headerOf(answer, 'sluice-decision-id'))
      .flatMap(({ disclosure }) => disclosure ?? []);
    const sum = (of: 'records' | 'records_withheld') => parts.reduce((n, part) => n + part[of], 0);
    return { ...told(answer), records: sum('records'), withheld: sum('records_withheld') };
  };
  const ids = ['C1', 'W2'] as const;
  const all = await Promise.all(ids.map((id) => Promise.all([0, 1, 2].map((at) => asked(id, at)))));
  const [[open, ...openPaused], [shut, ...shutPaused]] = all as [
    [object, ...object[]],
    [object, ...object[]],
  ];
  expect(open).toMatchObject({ status: 200, complete: true, records: 1, withheld: 0 });
  expect(shut).toMatchObject({ complete: true, records: 0, withheld: 1 });
  for (const paused of openPaused) expect(paused).toEqual(open);
  for (const paused of shutPaused) expect(paused).toEqual(shut);
});
