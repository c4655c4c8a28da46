/** The page of a customer: what a link opens, what can be changed there, and what nobody else can do. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { contentOf } from '../../src/endpoints/data-subject/content.ts';
import { page, type PageContent } from '../../src/endpoints/data-subject/html.ts';
import { Rate } from '../../src/endpoints/rate.ts';
import { newDecisionId } from '../../src/decision-log/decision-log.ts';
import { createErasure } from '../../src/erasure/index.ts';
import { checkDataSubjectPage } from '../../src/links/section.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { openSqlite } from '../../src/store/sqlite.ts';
import { sluice as run } from '../cli/support.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { recordsOf } from '../support/journals.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const PURPOSES = {
  marketing: { consent: 'explicit' },
  after_sales: { consent: 'by_grade' },
  emergency: { consent: 'waived' },
};

describe.each(['sqlite', 'postgres'])('the page of a customer, with %s', (dialect) => {
  let running: Running;
  let drop: (() => Promise<void>) | null = null;
  let time = Date.now();
  beforeAll(async () => {
    let store: object = { sqlite: './data/store.db' };
    if (dialect === 'postgres') {
      const schema = await freshSchema('page');
      drop = schema.drop;
      const database = openPostgres(POSTGRES, { schema: schema.schema });
      await migrate(database, MIGRATIONS, () => new Date());
      await database.close();
      store = { postgres: schemaUrl(schema.schema) };
    }
    running = await startSluice({
      data: { purposes: PURPOSES },
      config: {
        store,
        listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0', data_subjects: '127.0.0.1:0' },
        consent: { store: true },
        erasure: {},
        data_subject_page: { url: 'http://127.0.0.1:8082/', time_zone: 'Asia/Shanghai' },
      },
      parts: { clock: { now: () => new Date(time), micros: () => time * 1000 } },
    });
  });
  afterAll(async () => {
    await running.close();
    await drop?.();
  });

  const command = (...argv: string[]) =>
    run([...argv, '--config', join(running.dir, 'sluice.yaml'), '--by', 'zhang-clerk']);
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(new URL(path, running.sluice.data_subjects), { headers, redirect: 'manual' });
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(new URL(path, running.sluice.data_subjects), {
      method: 'POST',
      body: new URLSearchParams(form),
      headers,
      redirect: 'manual',
    });

  let n = 0;
  /** a customer who has agreed to something, with the page open */
  async function opened() {
    const person = `客户-${dialect}-${n++}`;
    await command(
      ...['consent', 'set', person, '--purpose', 'marketing', '--categories', 'contact,preference'],
      ...['--recipient', 'logistics', '--evidence', 'call 8812'],
    );
    const { url } = (await command('consent', 'link', person, '--json')).json<{ url: string }>();
    const link = new URL(url).pathname;
    const answer = await get(link);
    const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';');
    const html = await (await get('/', { cookie })).text();
    const csrf = /name="csrf" value="([^"]+)"/.exec(html)?.[1] ?? '';
    return { person, link, answer, cookie, html, csrf };
  }
  const entryOf = async (person: string) =>
    (await run(['consent', 'get', person, '--json', '--config', join(running.dir, 'sluice.yaml')])).json<{
      consents?: { status: string; purpose: string }[];
      flags?: string[];
    }>();
  const records = () => recordsOf(join(running.dir, 'journal')).filter(({ kind }) => kind === 'consent');

  test('a link is exchanged for a cookie, so that it stays in no address', async () => {
    const { answer, link, cookie, html } = await opened();
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '../']);
    const set = answer.headers.get('set-cookie') ?? '';
    for (const attribute of ['HttpOnly', 'SameSite=Lax', 'Path=/', 'Max-Age=900'])
      expect(set).toContain(attribute);
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(cookie).not.toBe('');
    expect(html).not.toContain(link);
  });

  test('neither the link nor the cookie says who the customer is', async () => {
    const { person, link, cookie } = await opened();
    for (const text of [link, cookie])
      for (const part of text.split(/[.=/]/))
        expect(Buffer.from(part, 'base64url').toString()).not.toContain(person);
  });

  test('shows consents and recipients, and nothing else that is known', async () => {
    const { html, person, cookie } = await opened();
    for (const words of ['营销推广', '联系方式、偏好', 'logistics', '撤回同意', 'lang="zh-CN"'])
      expect(html).toContain(words);
    const english = await (await get('/?lang=en', { cookie })).text();
    for (const words of ['Offers', 'How to reach you, Preferences', 'Withdraw', 'lang="en"'])
      expect(english).toContain(words);
    for (const hidden of [person, '8812', 'emergency', 'hmac:', 'zhang-clerk'])
      expect(html).not.toContain(hidden);
    expect(html).not.toMatch(/<script|onclick=|<img|src=|https?:/);
    const { headers } = await get('/', { cookie });
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-frame-options')).toBe('DENY');
  });

  test('a withdrawal, an objection and a request are made as by the commands', async () => {
    const { person, cookie, csrf } = await opened();
    const done = await post('/withdraw', { csrf, purpose: 'marketing', recipient: 'logistics' }, { cookie });
    expect([done.status, done.headers.get('location')]).toEqual([303, './?done=withdrawn']);
    expect(
      (await post('/object', { csrf, purpose: 'after_sales' }, { cookie })).headers.get('location'),
    ).toBe('./?done=objected');
    expect(await entryOf(person)).toMatchObject({
      consents: [{ purpose: 'marketing', status: 'withdrawn' }],
      flags: ['opt_out:after_sales'],
    });
    const html = await (await get('/?done=objected', { cookie })).text();
    for (const words of ['您已拒绝或撤回', '取消拒绝', '已记录您的拒绝']) expect(html).toContain(words);
    await post('/allow', { csrf, purpose: 'after_sales' }, { cookie });
    expect((await entryOf(person)).flags).toEqual([]);
    await post('/request', { csrf, kind: 'access' }, { cookie });
    await post('/request', { csrf, kind: 'erasure', sure: 'yes' }, { cookie });
    const listed = await run([
      ...['erasure', 'list', '--data-subject', person, '--json'],
      ...['--config', join(running.dir, 'sluice.yaml')],
    ]);
    expect(listed.json()).toMatchObject({
      requests: [
        { kind: 'access', requested_by: 'data_subject' },
        { kind: 'erasure', requested_by: 'data_subject' },
      ],
    });
    expect(await (await get('/', { cookie })).text()).toContain('删除个人信息');
    // Whoever presses a button twice is told that it is done, and nothing is done twice.
    const events = () => command('consent', 'history', person, '--json');
    const before = (await events()).out;
    for (const [path, form, told] of [
      ['/request', { kind: 'access', lang: 'en' }, './?done=known&lang=en'],
      ['/withdraw', { purpose: 'marketing', recipient: 'logistics' }, './?done=withdrawn'],
      ['/allow', { purpose: 'after_sales' }, './?done=allowed'],
    ] as const)
      expect((await post(path, { csrf, ...form }, { cookie })).headers.get('location')).toBe(told);
    expect((await events()).out).toBe(before);
  });

  test('every look and every change is on record, by the digest of the customer', async () => {
    const before = new Set(records().map(({ decision_id }) => decision_id));
    const { person, cookie, csrf } = await opened();
    await post('/withdraw', { csrf, purpose: 'marketing', recipient: 'logistics' }, { cookie });
    // The commands and the sidecar have a chain each.
    const found = records().filter(({ decision_id }) => !before.has(decision_id));
    expect(found.map(({ action, reasons }) => `${action} ${reasons[0]?.code}`).sort()).toEqual([
      'consents.get link_opened',
      'consents.get page_opened',
      'consents.set consent_given',
      'consents.withdraw consent_withdrawn',
      'links.create link_created',
    ]);
    expect(new Set(found.flatMap(({ disclosure }) => disclosure?.data_subjects)).size).toBe(1);
    expect(found.find(({ action }) => action === 'consents.withdraw')).toMatchObject({
      subject: { type: 'data_subject' },
      request: { route: 'POST /withdraw' },
    });
    expect(JSON.stringify(found)).not.toContain(person);
  });

  test('a look by HEAD is on record as one by GET is, and other methods open nothing', async () => {
    const { link, cookie } = await opened();
    for (const [path, route] of [
      ['/', '/'],
      [link, '/l/{token}'],
    ] as const) {
      const before = new Set(records().map(({ decision_id }) => decision_id));
      const target = new URL(path, running.sluice.data_subjects);
      const answer = await fetch(target, { method: 'HEAD', headers: { cookie }, redirect: 'manual' });
      expect([answer.status, await answer.text()]).toEqual([path === '/' ? 200 : 303, '']);
      const found = records().filter(({ decision_id }) => !before.has(decision_id));
      expect(found.map(({ request }) => request?.path)).toEqual([route]);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await fetch(new URL(link, running.sluice.data_subjects), { method, redirect: 'manual' });
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
  });

  test('a form that is too large, or is none, changes nothing', async () => {
    const { person, cookie, csrf } = await opened();
    const given = await entryOf(person);
    const before = new Set(records().map(({ decision_id }) => decision_id));
    const target = new URL('/withdraw', running.sluice.data_subjects);
    const form = `csrf=${csrf}&purpose=marketing&recipient=logistics`;
    for (const [type, body] of [
      ['application/x-www-form-urlencoded', `${form}&x=${'y'.repeat(100_000)}`],
      ['application/x-www-form-urlencoded', `${form}&purpose=after_sales`],
      ['application/x-www-form-urlencoded', `${form}${'&a=b'.repeat(20)}`],
      ['application/json', JSON.stringify({ csrf, purpose: 'marketing', recipient: 'logistics' })],
      ['text/plain', form],
    ] as const) {
      const headers = { cookie, 'content-type': type };
      const answer = await fetch(target, { method: 'POST', headers, body, redirect: 'manual' });
      expect([400, 403]).toContain(answer.status);
    }
    expect(await entryOf(person)).toEqual(given);
    const found = records().filter(({ decision_id }) => !before.has(decision_id));
    expect(found.map(({ outcome }) => outcome)).toEqual(Array(5).fill('denied'));
  });

  test('a form that this page has not made for this visitor changes nothing', async () => {
    const [one, two] = [await opened(), await opened()];
    const form = { purpose: 'marketing', recipient: 'logistics' };
    for (const [body, headers] of [
      [form, { cookie: one.cookie }],
      [{ ...form, csrf: two.csrf }, { cookie: one.cookie }],
      [{ ...form, csrf: one.csrf }, {}],
      [
        { ...form, csrf: one.csrf },
        { cookie: one.cookie, 'sec-fetch-site': 'cross-site' },
      ],
      [{ ...form, csrf: one.csrf }, { cookie: `${one.cookie}; ${two.cookie}` }],
    ] as const)
      expect((await post('/withdraw', body, headers as Record<string, string>)).status).toBe(403);
    expect((await get('/withdraw', { cookie: one.cookie })).status).toBe(404);
    for (const { person } of [one, two])
      expect(await entryOf(person)).toMatchObject({ consents: [{ status: 'given' }] });
  });

  test('a form that is not complete changes nothing', async () => {
    const { person, cookie, csrf } = await opened();
    for (const [path, form] of [
      ['/withdraw', { purpose: 'marketing' }],
      ['/object', { purpose: 'emergency' }],
      ['/object', { purpose: 'nothing' }],
      ['/request', { kind: 'erasure' }],
      ['/request', { kind: 'restriction' }],
    ] as const)
      expect((await post(path, { csrf, ...form }, { cookie })).status).toBe(400);
    expect(await entryOf(person)).toMatchObject({ consents: [{ status: 'given' }] });
  });

  test('nobody gets in without a link, with a changed one, or with another signed text', async () => {
    const { link, cookie } = await opened();
    expect((await get('/')).status).toBe(403);
    for (const path of ['/l/', `${link.slice(0, -4)}AAAA`, '/l/e30.e30.e30', `/l/${cookie.split('=')[1]}`])
      expect([403, 404]).toContain((await get(path)).status);
    const stolen = `${cookie.split('=')[0]}=${link.slice('/l/'.length)}`;
    expect((await get('/', { cookie: stolen })).status).toBe(403);
  });

  test('a revoked link opens nothing any more, nor does what it has opened', async () => {
    const { person, link, cookie } = await opened();
    expect(await command('consent', 'link', person, '--revoke')).toMatchObject({
      code: 0,
      out: '1 revoked.\n',
    });
    expect((await get(link)).status).toBe(403);
    expect((await get('/', { cookie })).status).toBe(403);
    expect((await command('consent', 'link', person, '--revoke')).code).toBe(1);
  });

  test('a session ends with its time, and a link with its own', async () => {
    const { link, cookie } = await opened();
    const before = time;
    time += 16 * 60_000;
    expect((await get('/', { cookie })).status).toBe(403);
    expect((await get(link)).status).toBe(303);
    time = before + 73 * 3_600_000;
    expect((await get(link)).status).toBe(403);
    time = before;
  });

  test('a consent that begins later is shown as one that does not apply yet, and what is over is not shown', async () => {
    const { person, cookie } = await opened();
    const set = (purpose: string, ...dates: string[]) =>
      command('consent', 'set', person, '--purpose', purpose, '--categories', 'contact', ...dates);
    await set('after_sales', '--from', '2099-01-01', '--until', '2099-12-31');
    await set('claims', '--until', '2020-01-01');
    const html = await (await get('/?lang=en', { cookie })).text();
    const cards = html.split('<h3>').slice(1);
    const later = cards.find((card) => card.startsWith('After-sales service'))!;
    for (const words of ['2099-01-01', '2099-12-31', 'does not apply yet', 'Withdraw'])
      expect(later).toContain(words);
    expect(cards.find((card) => card.startsWith('Offers'))).not.toContain('does not apply yet');
    expect(html).not.toContain('Settling claims');
  });

  test('what is withdrawn together is shown together', async () => {
    const { person, cookie, csrf } = await opened();
    await command(
      ...['consent', 'set', person, '--purpose', 'marketing', '--categories', 'transaction'],
      ...['--recipient', 'logistics', '--until', '2099-12-31'],
    );
    const html = await (await get('/?lang=en', { cookie })).text();
    expect(html.split('action="withdraw"')).toHaveLength(2);
    for (const words of ['How to reach you, Preferences', 'Policies, claims, orders'])
      expect(html).toContain(words);
    await post('/withdraw', { csrf, purpose: 'marketing', recipient: 'logistics' }, { cookie });
    expect((await entryOf(person)).consents?.map(({ status }) => status)).toEqual(['withdrawn', 'withdrawn']);
  });

  test('whoever opens the link again goes on in pages that are open; another link does not', async () => {
    const [one, two] = [await opened(), await opened()];
    const again = await get(one.link, { cookie: one.cookie });
    const [cookie = ''] = (again.headers.get('set-cookie') ?? '').split(';');
    expect(cookie).not.toBe('');
    const done = await post('/object', { csrf: one.csrf, purpose: 'marketing' }, { cookie });
    expect(done.headers.get('location')).toBe('./?done=objected');
    const other = await get(two.link, { cookie: one.cookie });
    const [changed = ''] = (other.headers.get('set-cookie') ?? '').split(';');
    const refused = await post('/object', { csrf: one.csrf, purpose: 'marketing' }, { cookie: changed });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('href="./"');
    expect((await entryOf(two.person)).flags ?? []).toEqual([]);
    // A cookie that is none does not keep a link from being opened.
    expect((await get(one.link, { cookie: 'sluice_session=none' })).status).toBe(303);
  });

  test('who closes the page has no cookie any more', async () => {
    const answer = await post('/end', {});
    expect(answer.headers.get('set-cookie')).toMatch(/^sluice_session=; .*Max-Age=0/);
  });

  test('too many looks are refused for a while, for this customer alone', async () => {
    const [one, two] = [await opened(), await opened()];
    let status = 200;
    for (let i = 0; i < 61 && status === 200; i++) ({ status } = await get('/', { cookie: one.cookie }));
    expect(status).toBe(429);
    expect((await get('/', { cookie: one.cookie })).headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await get('/', { cookie: two.cookie })).status).toBe(200);
    time += 60_000;
    expect((await get('/', { cookie: one.cookie })).status).toBe(200);
  });
});

test('of very many requests the newest are shown, the newest first', async () => {
  const database = openSqlite(join(mkdtempSync(join(tmpdir(), 'sluice-page-')), 'store.db'));
  await migrate(database, MIGRATIONS, () => new Date());
  let now = Date.parse('2026-11-30T08:00:00Z');
  const erasure = createErasure(database, {
    newId: newDecisionId,
    now: () => new Date(now),
    due: 86_400_000,
  });
  const change = { by: 'li', decision_id: newDecisionId(), journaled: async () => undefined };
  for (let n = 0; n < 101; n++) {
    now += 60_000;
    const { request } = await erasure.request({ kind: 'access', data_subject: '客户', note: null }, change);
    await erasure.reject(request.id, 'a test', change);
  }
  const sources = { consents: { entry: async () => undefined }, erasure, purposes: () => [] };
  const { requests } = await contentOf('客户', sources, new Date(now));
  await database.close();
  expect(requests).toHaveLength(100);
  expect(requests[0]?.requested_at).toBe('2026-11-30T09:41:00.000Z');
  expect(requests.at(-1)?.requested_at).toBe('2026-11-30T08:02:00.000Z');
});

test('whatever is in the store, the page has no other markup than its own', () => {
  const words = fc.string({ unit: fc.constantFrom(...`<>"'&a=/ 王`.split('')), maxLength: 12 });
  const part = fc.record({
    categories: fc.array(words, { maxLength: 2 }),
    since: fc.option(words),
    until: fc.option(words),
    isPending: fc.boolean(),
  });
  const consent = fc.record({
    purpose: words,
    recipient: words,
    parts: fc.array(part, { maxLength: 2 }),
  });
  fc.assert(
    fc.property(fc.array(consent, { maxLength: 3 }), words, fc.boolean(), (given, name, isChinese) => {
      const content: PageContent = {
        language: isChinese ? 'zh' : 'en',
        timeZone: 'Asia/Shanghai',
        csrf: 'c',
        given,
        withdrawn: given,
        objections: [name],
        purposes: [name],
        requests: [{ kind: name, state: name, requested_at: name, due_at: name }],
        takesRequests: true,
        done: name,
      };
      const tags = (html: string) => [...html.matchAll(/<(\/?[a-zA-Z!][a-zA-Z0-9]*)/g)].map((m) => m[1]);
      const known = new Set(
        '!doctype html head meta title style body header nav a main h1 h2 h3 span section ul li dl dt dd time br form input button label select option p'
          .split(' ')
          .flatMap((tag) => [tag, `/${tag}`]),
      );
      expect(tags(page(content)).filter((tag) => !known.has(tag!))).toEqual([]);
      expect(page(content).split('<form').length).toBe(
        page({ ...content, done: null }).split('<form').length,
      );
    }),
    { numRuns: Number(process.env['FC_RUNS'] ?? 200) },
  );
});

test('shows moments as the clocks of its time zone do, and days as they were said', () => {
  const moment = '2026-11-30T16:05:00.000Z';
  const consent = {
    purpose: 'marketing',
    recipient: 'internal',
    parts: [{ categories: ['contact'], since: moment, until: '2027-11-30', isPending: false }],
  };
  const content: PageContent = {
    language: 'zh',
    timeZone: 'Asia/Shanghai',
    csrf: 'c',
    given: [consent],
    withdrawn: [],
    objections: [],
    purposes: [],
    requests: [
      { kind: 'erasure', state: 'requested', requested_at: '2026-11-30T15:59:59.999Z', due_at: moment },
    ],
    takesRequests: true,
    done: null,
  };
  const times = (timeZone: string) =>
    [...page({ ...content, timeZone }).matchAll(/<time>(.*?)<\/time>/g)].map((m) => m[1]);
  // After 16:00 UTC it is the next day in Shanghai.
  expect(times('Asia/Shanghai')).toEqual([
    '2026-12-01 00:05',
    '2027-11-30',
    '2026-11-30 23:59',
    '2026-12-01 00:05',
  ]);
  expect(times('UTC')[0]).toBe('2026-11-30 16:05');
  expect(page(content)).toContain('时区 Asia/Shanghai');
  expect(page({ ...content, language: 'en' })).toContain('time zone Asia/Shanghai');
});

test('a time zone that nobody has is refused by the configuration', () => {
  const faults: string[] = [];
  const check = (time_zone: string) =>
    checkDataSubjectPage({ url: 'https://me.example/', link: 1, session: 1, time_zone }, (path) =>
      faults.push(path.join('.')),
    );
  for (const zone of ['Asia/Shanghai', 'Europe/London', 'UTC']) check(zone);
  expect(faults).toEqual([]);
  for (const zone of ['Asia/Shangai', 'Beijing time', '+25:00']) check(zone);
  expect(faults).toEqual(Array(3).fill('data_subject_page.time_zone'));
});

describe('a rate', () => {
  test('permits its limit in each window, for each key', () => {
    let now = 0;
    const rate = new Rate(2, 1_000, () => now);
    expect([rate.take('a'), rate.take('a'), rate.take('a'), rate.take('b')]).toEqual([null, null, 1, null]);
    now = 1_000;
    expect(rate.take('a')).toBeNull();
  });

  test('does not grow without bound: too many keys are refused until the window ends', () => {
    const rate = new Rate(1, 1_000, () => 1);
    for (let i = 0; i < 50_000; i++) expect(rate.take(`k${i}`)).toBeNull();
    expect(rate.take('another')).toBe(1);
  });
});
