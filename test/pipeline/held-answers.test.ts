/** What is held before it leaves is checked again: a consent or an alias that changes and a caller that is revoked meanwhile count. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createStaticConsents, type StaticConsents } from '../../src/consent/index.ts';
import type { States } from '../../src/model/consent.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { CUSTOMER, CUSTOMER_ANSWER, type Running, startSluice } from '../support/sluice.ts';

const record = (id: string): string => `{"id":"${id}","name":"Name of ${id}"}`;
const aliased = (login: string): string => `{"login":"${login}","name":"Name of C1"}`;
/** what is sent before the upstream waits, and after it; the look-up of the record precedes the wait, or follows it */
const HELD = {
  total: {
    path: '/list',
    body: [`{"total":2,"items":[${record('C1')},`, `${record('C2')}]}`],
    waits: 'looked up',
  },
  group: { path: '/grouped', body: [`{"items":[${record('C1')},`, `${record('C2')}]}`], waits: 'sent' },
  single: { path: '/one/C1', body: [`{"code":0,"data":${record('C1')}`, '}'], waits: 'looked up' },
  'single, half': {
    path: '/one/C1',
    body: [`{"code":0,"data":{"id":"C1",`, '"name":"Name of C1"}}'],
    waits: 'sent',
  },
  page: {
    path: '/paged?name=x&limit=5',
    body: [`{"items":[${record('C1')}]}`, '{"items":[]}'],
    waits: 'looked up',
  },
  'by alias': {
    path: '/aliased',
    body: [`{"total":2,"items":[${aliased('zhangsan')},${aliased('lisi')}`, ']}'],
    waits: 'looked up',
  },
  'by an alias in the path': {
    path: '/named/zhangsan',
    body: ['{"code":0,', '"data":{"name":"Name of C1"}}'],
    waits: 'sent',
  },
} as const;
type Held = keyof typeof HELD;
const NAMES = Object.keys(HELD) as Held[];
const BY_ALIAS: readonly Held[] = ['by alias', 'by an alias in the path'];

/** moved by the tests: real time goes on besides */
let moved = 0;
const clock = {
  now: () => new Date(systemClock.now().getTime() + moved),
  micros: () => systemClock.micros() + moved * 1000,
};
let held: Held = 'total';
let bodies: readonly string[] = [];
let reached: () => void;
let release: () => void;
let consents: StaticConsents;
let aliases: Record<string, string> = {};
let answersLater = false;
let onLookup: (ids: readonly string[]) => void = () => undefined;
let server: Server;
let running: Running;
const dir = mkdtempSync(join(tmpdir(), 'sluice-held-'));
let goesOn: Promise<void>;

async function respond(url: string, response: ServerResponse): Promise<void> {
  response.setHeader('Content-Type', 'application/json');
  const [before, after] = bodies as [string, string];
  if (held === 'page') {
    if (!url.includes('offset=1')) return void response.end(before);
    await goesOn;
    return void response.end(after);
  }
  response.write(before, () => {
    if (HELD[held].waits === 'sent') reached();
  });
  await goesOn;
  response.end(after);
}

beforeAll(async () => {
  revoke();
  server = createServer((request, response) => void respond(request.url!, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  consents = createStaticConsents();
  const lookup = (ids: readonly string[], at: Date): States | Promise<States> => {
    const states = consents.lookup(ids, at) as States;
    onLookup(ids);
    if (HELD[held].waits === 'looked up' && ids.includes('C1')) setImmediate(reached);
    return answersLater ? Promise.resolve(states) : states;
  };
  const identifiers = {
    customer_no: { title: 'Number', pattern: 'C[0-9]+' },
    login: { title: 'Login', pattern: '[a-z]+', resolves_to: 'customer_no' },
  };
  const places = [{ at: '/login', type: 'login' }];
  const byAlias = {
    ...CUSTOMER,
    data_subject: ['/login'],
    subject_places: places,
    fields: { ...CUSTOMER.fields, '/login': { category: 'reference', grade: 1 } },
  };
  const found = async (values: readonly { type: string; text: string }[]) =>
    new Map(
      values.flatMap(({ type, text }) =>
        aliases[text] === undefined ? [] : [[`${type}\n${text}`, aliases[text]]],
      ),
    );
  const list = { upstream: 'crm', resource: 'customer', action: 'search', records: '/items/*' };
  const paging = { limit: 'limit', offset: 'offset', size: 1, fetch: 100 };
  running = await startSluice({
    upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    catalogs: { customer: { ...CUSTOMER }, grouped: CUSTOMER, aliased: byAlias },
    data: { identifiers },
    answers: {
      customer: { '*': CUSTOMER_ANSWER },
      grouped: { '*': CUSTOMER_ANSWER },
      aliased: { '*': CUSTOMER_ANSWER },
    },
    obligations: { grouped: { min_group_size: 2 } },
    routes: [
      { ...list, match: 'GET /list' },
      { ...list, match: 'GET /grouped', resource: 'grouped' },
      {
        ...list,
        match: 'GET /paged',
        query_fields: { name: '/name' },
        query_params: ['limit', 'offset'],
        paging,
      },
      { ...list, match: 'GET /aliased', resource: 'aliased' },
      {
        ...list,
        match: 'GET /named/{login}',
        resource: 'aliased',
        action: 'read',
        records: '/data',
        id: '{login}',
        data_subject: '{login}',
      },
      { ...list, match: 'GET /one/{id}', action: 'read', records: '/data' },
    ],
    identity: { revocations: './revoked.yaml' },
    dir,
    parts: { clock, given: { consents: { ...consents, lookup, aliases: found } } },
  });
});
afterAll(async () => {
  await running?.close();
  server?.closeAllConnections();
  server?.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  for (const id of ['C1', 'C2']) consents.forget(id);
  aliases = { zhangsan: 'C1', lisi: 'C2' };
  answersLater = false;
  onLookup = () => undefined;
  revoke();
});

function revoke(...subjects: readonly string[]): void {
  writeFileSync(join(dir, 'revoked.yaml'), JSON.stringify(subjects.map((subject) => ({ subject }))));
  running?.sluice.identity.refresh();
}

/** Asks for an answer that is held while `meanwhile` happens, which takes a second. */
async function askedHeld(name: Held, meanwhile: () => void) {
  held = name;
  bodies = HELD[name].body;
  const isHeld = new Promise<void>((resolve) => {
    reached = resolve;
  });
  goesOn = new Promise<void>((resolve) => {
    release = resolve;
  });
  const asked = fetch(`http://127.0.0.1:${running.port}${HELD[name].path}`, { headers: running.caller });
  await isHeld;
  meanwhile();
  moved += 1_000;
  release();
  const response = await asked;
  const id = response.headers.get('sluice-decision-id');
  const text = await response.text();
  const records = running.records().filter(({ decision_id }) => decision_id === id);
  return { status: response.status, text, records };
}

describe.each(NAMES)('held: %s', (name) => {
  test.each([false, true])('nothing has changed: it leaves (consents are found later: %s)', async (later) => {
    answersLater = later;
    const { status, text } = await askedHeld(name, () => undefined);
    expect(status).toBe(200);
    expect(text).toContain('Name of C1');
  });

  test.each([false, true])(
    'a consent changes: nothing of the record leaves (found later: %s)',
    async (later) => {
      answersLater = later;
      const { status, text, records } = await askedHeld(name, () =>
        consents.set('C1', { flags: ['restricted'] }),
      );
      expect(text).not.toContain('Name of C1');
      for (const { disclosure } of records) expect(disclosure?.data_subjects ?? []).toEqual([]);
      if (HELD[name].waits === 'sent') return;
      expect({ status, code: (JSON.parse(text) as { code: string }).code }).toEqual({
        status: 503,
        code: 'consent_changed',
      });
      expect(records).toHaveLength(1);
      expect(records[0]).toMatchObject({ outcome: 'error' });
      expect(records[0]!.reasons[0]!.code).toBe('consent_changed');
    },
  );

  test('the caller is revoked: nothing leaves', async () => {
    const { status, text, records } = await askedHeld(name, () => revoke('u-1'));
    expect(text).not.toContain('Name of');
    expect({ status, code: (JSON.parse(text) as { code: string }).code }).toEqual({
      status: 401,
      code: 'token_revoked',
    });
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ subject: { id: 'u-1' } });
    expect(records[0]!.reasons[0]!.code).toBe('token_revoked');
  });
});

describe.each(BY_ALIAS)('held: %s', (name) => {
  test.each(['C2', undefined])('the alias names %s by then: nothing of the record leaves', async (other) => {
    const { status, text, records } = await askedHeld(name, () => {
      aliases = { ...aliases, zhangsan: other! };
    });
    expect(text).not.toContain('Name of C1');
    expect({ status, code: (JSON.parse(text) as { code: string }).code }).toEqual({
      status: 503,
      code: 'consent_changed',
    });
    expect(records).toHaveLength(1);
  });
});

test('an alias that named nobody, and names somebody by then: its record stays withheld, and the rest leaves', async () => {
  aliases = { zhangsan: 'C1' };
  const { status, text, records } = await askedHeld('by alias', () => {
    aliases = { zhangsan: 'C1', lisi: 'C2' };
  });
  expect(status).toBe(200);
  expect(text).toContain('zhangsan');
  expect(text).not.toContain('lisi');
  expect(records[0]).toMatchObject({ disclosure: { records: 1, records_withheld: 1 } });
});

describe('a part has left', () => {
  /** Reads until the first record has left, then lets the upstream go on. */
  async function begun(rest: string, afterwards: () => void) {
    held = 'total';
    bodies = [`{"items":[${record('C1')}`, rest];
    reached = () => undefined;
    goesOn = new Promise<void>((resolve) => {
      release = resolve;
    });
    const response = await fetch(`http://127.0.0.1:${running.port}/list`, { headers: running.caller });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('Name of C1')) text += (await reader.read()).value;
    afterwards();
    moved += 1_000;
    release();
    let complete = true;
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    } catch {
      complete = false;
    }
    return { text, complete };
  }

  test('a consent that changes after its record has left does not break off the rest', async () => {
    const { text, complete } = await begun(`,${record('C2')}]}`, () =>
      consents.set('C1', { flags: ['restricted'] }),
    );
    expect(complete).toBe(true);
    expect(JSON.parse(text)).toMatchObject({ items: [{ id: 'C1' }, { id: 'C2' }] });
  });

  test('a consent that changes before its record leaves breaks the answer off', async () => {
    // Of one part: the consent of C2 changes between its look-up and that of C3.
    const many = Array.from({ length: 3_000 }, (_, n) => record(`M${n}`)).join();
    const { text, complete } = await begun(`,${record('C2')},${many},${record('C3')}]}`, () => {
      onLookup = (ids) => {
        if (!ids.includes('C3')) return;
        consents.set('C2', { flags: ['restricted'] });
        moved += 1_000;
      };
    });
    expect({ complete, told: text.includes('Name of C2') }).toEqual({ complete: false, told: false });
    expect(running.records().at(-1)).toMatchObject({
      outcome: 'error',
      reasons: [{ code: 'consent_changed' }],
    });
  });
});
