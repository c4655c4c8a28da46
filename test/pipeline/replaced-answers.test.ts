/**
 * An answer of the upstream that was processed may be replaced: by a refusal, an acknowledgement, the empty list of its route, or a head without
 * a body. Then nothing of it has left, and its decision record must not say that anything was released. Auditors count on it.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers, chunks, type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { answer as says, CUSTOMER, type Running, startSluice } from '../support/sluice.ts';
import { exchange, headerOf, requestText } from '../support/wire.ts';

/** `OPEN` may be seen, `SHUT` is withheld; both are people */
const [OPEN, SHUT] = ['C1', 'W2'] as const;
const person = (id: string) => ({ id, name: `Name ${id}`, phone: '13812345678', id_number: 'x', other: 1 });

interface Body {
  readonly type: string;
  readonly text: (ids: readonly string[]) => string;
  /** how many records the body of a route for one record may hold: several, or one only */
  readonly several: boolean;
  readonly resource?: string;
}
const BODIES: Readonly<Record<string, Body>> = {
  json: {
    type: 'application/json',
    text: ([id]) => JSON.stringify(person(id!)),
    several: false,
  },
  csv: {
    type: 'text/csv',
    text: (ids) => `id,name,phone,other\n${ids.map((id) => `${id},Name ${id},13812345678,1\n`).join('')}`,
    several: true,
  },
  ndjson: {
    type: 'application/x-ndjson',
    text: (ids) => ids.map((id) => `${JSON.stringify(person(id))}\n`).join(''),
    several: true,
  },
  xml: {
    type: 'application/xml',
    text: ([id]) => `<c><id>${id}</id><name>Name ${id}</name><phone>13812345678</phone></c>`,
    several: false,
  },
  elements: {
    type: 'application/xml',
    text: (ids) =>
      `<r><items>${ids.map((id) => `<c><id>${id}</id><name>Name ${id}</name></c>`).join('')}</items></r>`,
    several: true,
  },
  vcard: {
    type: 'text/vcard',
    text: (ids) =>
      ids.map((id) => `BEGIN:VCARD\r\nVERSION:4.0\r\nUID:${id}\r\nFN:Name ${id}\r\nEND:VCARD\r\n`).join(''),
    several: true,
    resource: 'card',
  },
  form: {
    type: 'application/x-www-form-urlencoded',
    text: ([id]) => `id=${id}&name=Name+${id}&phone=13812345678`,
    several: false,
  },
};

const WAYS = {
  read: { line: (name: string) => `GET /${name}`, body: '' },
  found: { line: (name: string) => `GET /${name}/found?name=x`, body: '' },
  head: { line: (name: string) => `HEAD /${name}`, body: '' },
  written: { line: (name: string) => `PUT /${name}`, body: '{"name":"x"}' },
  acknowledged: { line: (name: string) => `PUT /${name}/acknowledged`, body: '{"name":"x"}' },
} as const;
type Way = keyof typeof WAYS;

const CARD = {
  data_subject: ['/UID/0/value'],
  attributes: {},
  fields: {
    '/UID/0/value': CUSTOMER.fields['/id'],
    '/FN/*/value': CUSTOMER.fields['/name'],
    '/name': CUSTOMER.fields['/name'],
  },
  envelope: {},
};

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const classes = {
    'reference/1': 'disclose',
    'identity/3': 'disclose',
    'contact/3': 'mask',
    'identity/4': 'drop',
  };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: { customer: CUSTOMER, card: CARD },
    answers: { customer: { '*': says(classes) }, card: { '*': says(classes) } },
    dataSubjects: { [SHUT]: { flags: ['restricted'] } },
    routes: [
      ...Object.entries(BODIES).flatMap(([name, { resource = 'customer' }]) => {
        const records = name === 'elements' ? { records: '/r/items/c' } : {};
        const of = { upstream: 'crm', resource, ...records };
        const written = { format: 'json', replaces: false };
        return [
          { ...of, match: `GET /${name}`, action: 'read' },
          { ...of, match: `GET /${name}/found`, action: 'read', query_fields: { name: '/name' } },
          { ...of, match: `PUT /${name}`, action: 'update', request: written },
          {
            ...of,
            match: `PUT /${name}/acknowledged`,
            action: 'update',
            request: written,
            response: { errors: 'soap' },
          },
        ];
      }),
      {
        match: 'GET /list',
        upstream: 'crm',
        resource: 'customer',
        action: 'search',
        records: '/items/*',
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

const WITHHOLDING = new Set(['drop', 'nullify']);

/** Sends a request; checks what its records say against what has left. */
async function checked(line: string, body = '', headers: Readonly<Record<string, string>> = {}) {
  const all = {
    ...running.caller,
    ...headers,
    ...(body === '' ? {} : { 'Content-Type': 'application/json' }),
  };
  const answer = await exchange(running.port, requestText(line, all, body), {
    bodiless: line.startsWith('HEAD'),
  });
  const id = headerOf(answer, 'sluice-decision-id');
  const records = running.records().filter((r) => r.decision_id === id);
  expect(records).not.toHaveLength(0);
  const left = /Name[ +]/.test(answer.body.toString()) || headerOf(answer, 'content-encoding') === 'gzip';
  for (const { disclosure } of records) {
    if (left || disclosure === null) continue;
    expect(disclosure).toMatchObject({ records: 0, released: [], data_subjects: [] });
    expect(disclosure.consents ?? []).toEqual([]);
    for (const row of disclosure.withheld) expect(WITHHOLDING).toContain(row.do);
    for (const row of Object.values(disclosure.by_class))
      for (const treatment of Object.keys(row)) expect(WITHHOLDING).toContain(treatment);
  }
  return { answer, left, records, disclosure: records.at(-1)!.disclosure };
}

const several = Object.entries(BODIES).flatMap(([name, { several: may }]) => (may ? [name] : []));
const formats = Object.keys(BODIES);
const ways = Object.keys(WAYS) as Way[];

describe.each(ways)('the record of an answer that is %s', (way) => {
  const ask = (name: string, ids: readonly string[], headers = {}) => {
    const { type, text } = BODIES[name]!;
    upstream.answer = answers(text(ids), { 'Content-Type': type });
    return checked(WAYS[way].line(name), WAYS[way].body, headers);
  };

  test.each(formats)('says what was released where it leaves: %s', async (name) => {
    const { left, disclosure } = await ask(name, [OPEN]);
    expect(left).toBe(way !== 'head');
    expect(disclosure).toMatchObject({ records: left ? 1 : 0, records_withheld: 0 });
    expect(disclosure!.released.length > 0).toBe(left);
  });
  test.each(formats)('accounts for a record that is withheld: %s', async (name) => {
    const { left, disclosure } = await ask(name, [SHUT]);
    expect(left).toBe(false);
    expect(disclosure).toMatchObject({ records_withheld: 1, withheld_reasons: { restricted: 1 } });
  });
  for (const ids of [
    [OPEN, SHUT],
    [SHUT, OPEN],
  ])
    test.each(several)(`accounts for one record of two that is withheld (${ids}): %s`, async (name) => {
      const { disclosure } = await ask(name, ids);
      expect(disclosure).toMatchObject({ records_withheld: 1, withheld_reasons: { restricted: 1 } });
    });
});

describe('the record of a narrowed list', () => {
  test.each([
    [[OPEN], true],
    [[OPEN, SHUT], true],
    [[SHUT], false],
    [[], false],
  ] as const)('of which the upstream finds %j', async (ids, leaves) => {
    const items = ids.map(person);
    upstream.answer = answers(JSON.stringify({ total: ids.length, items }));
    const { answer, left, disclosure } = await checked('GET /list?name=x');
    expect(left).toBe(leaves);
    expect(answer.body.toString() === '{"none":true}').toBe(!leaves);
    expect(disclosure).toMatchObject({ records_withheld: ids.filter((id) => id === SHUT).length });
  });
});

describe('the record of an answer in parts', () => {
  test('that breaks off says nothing of the part that stays', async () => {
    const { type, text } = BODIES['ndjson']!;
    const first = text(Array.from({ length: 30_000 }, () => OPEN));
    upstream.answer = (_request, socket) => {
      const head = reply('', { 'Content-Type': type, 'Transfer-Encoding': 'chunked' });
      socket.write(Buffer.concat([head, chunks(Buffer.from(`${first}${text([OPEN, SHUT, OPEN])}`))]));
    };
    const all = requestText('GET /ndjson', running.caller);
    const before = running.records().length;
    expect(await exchange(running.port, all)).toMatchObject({ status: 200, complete: false });
    const records = running.records().slice(before);
    expect(records.length).toBeGreaterThan(1);
    expect(records[0]!.disclosure!.records).toBeGreaterThan(0);
    expect(records.at(-1)).toMatchObject({
      outcome: 'error',
      disclosure: { records: 0, released: [], data_subjects: [], records_withheld: 1 },
    });
  });
  test('that is compressed is that of one that is not', async () => {
    const { type, text } = BODIES['csv']!;
    for (const ids of [[OPEN], [OPEN, SHUT]]) {
      upstream.answer = answers(gzipSync(text(ids)), { 'Content-Type': type, 'Content-Encoding': 'gzip' });
      const { left, disclosure } = await checked('GET /csv', '', { 'Accept-Encoding': 'gzip' });
      expect(left).toBe(ids.length === 1);
      expect(disclosure).toMatchObject({ records: left ? 1 : 0, records_withheld: left ? 0 : 1 });
    }
  });
});
