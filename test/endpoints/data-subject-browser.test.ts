/** The page of a customer as a customer sees it: in a browser, in both languages, on a phone, by keyboard, without scripts. */
import { createServer } from 'node:http';
import { mkdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { compileFiles } from '../../src/policy/compile.ts';
import { resolveOpa } from '../../src/policy/opa/opa.ts';
import { sluice as run } from '../cli/support.ts';
import { type Browser, hasBrowser, openBrowser } from '../support/browser.ts';
import { CUSTOMER, CUSTOMER_ROUTES, type Running, startSluice } from '../support/sluice.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** where to put pictures of the pages; absent: none are taken */
const PICTURES = process.env['SLUICE_PICTURES'];
const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true } as const;

/** Discloses a record for a purpose that its person has agreed to and does not object to. */
const BY_CONSENT = `package sluice

# METADATA
# title: May this request go on
# entrypoint: true
default decision := {"allow": true, "reasons": [], "tier": null, "obligations": {}}

# METADATA
# title: What happens to each class
# entrypoint: true
default disclosure := {"disclose": false, "reasons": [{"code": "no_consent"}], "classes": {}, "fields": {}}

disclosure := {"disclose": true, "reasons": [], "classes": {"reference/1": {"do": "disclose", "because": "consent"}}, "fields": {}} if {
	some consent in input.data_subject.consents
	consent.purpose == input.context.purpose
	consent.status == "given"
	not sprintf("opt_out:%s", [input.context.purpose]) in input.data_subject.flags
}
`;
const PURPOSES = {
  marketing: { consent: 'explicit' },
  after_sales: { consent: 'by_grade' },
  emergency: { consent: 'waived' },
};

describe.skipIf(!hasBrowser)('the page of a customer in a browser', () => {
  let browser: Browser;
  let running: Running;
  let time = Date.now();
  const upstream = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: 'C100234', name: '张三丰', city: '北京' }));
  });
  let contexts: BrowserContext[] = [];

  beforeAll(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const opa = await resolveOpa();
    const bundle = await compileFiles(
      {
        dir: 'by-consent',
        rego: [{ path: 'sluice/by_consent.rego', text: BY_CONSENT }],
        tests: [],
        data: [],
        catalogs: [],
        scenarios: [],
      },
      { opa },
    );
    const data = {
      purposes: PURPOSES,
      partners: {},
      catalog: { customer: { resource: 'customer', ...CUSTOMER } },
    };
    browser = await openBrowser();
    running = await startSluice({
      upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
      routes: CUSTOMER_ROUTES,
      policy: { ...bundle, data, dataJson: JSON.stringify(data) },
      config: {
        store: { sqlite: './data/store.db' },
        listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0', data_subjects: '127.0.0.1:0' },
        consent: { store: true },
        erasure: {},
        data_subject_page: { url: 'http://127.0.0.1:8082/' },
      },
      parts: { clock: { now: () => new Date(time), micros: () => performance.now() * 1000 } },
    });
  });
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    contexts = [];
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
    upstream.close();
  });

  const command = (...argv: string[]) =>
    run([...argv, '--config', join(running.dir, 'sluice.yaml'), '--by', 'zhang-clerk']);
  const asked = async <T>(...argv: string[]): Promise<T> =>
    (await run([...argv, '--json', '--config', join(running.dir, 'sluice.yaml')])).json<T>();
  const requestsOf = async (id: string) =>
    (await asked<{ requests: { kind: string }[] }>('erasure', 'list', '--data-subject', id)).requests;
  const at = (path: string): string => new URL(path, running.sluice.data_subjects).href;
  let n = 0;
  const person = () => `C-${String(++n)}-王小明`;
  async function linkOf(id: string): Promise<string> {
    const { url } = (await command('consent', 'link', id, '--json')).json<{ url: string }>();
    return at(new URL(url).pathname);
  }
  const agree = (id: string, purpose: string, ...more: string[]) =>
    command(
      ...['consent', 'set', id, '--purpose', purpose, '--categories', 'contact,preference'],
      ...['--evidence', 'call 8812', ...more],
    );

  interface Watched {
    readonly page: Page;
    readonly context: BrowserContext;
    /** every byte that the browser has received */
    readonly received: () => Promise<string>;
    readonly requests: string[];
    readonly complaints: string[];
  }
  async function watched(options: BrowserContextOptions = {}): Promise<Watched> {
    const context = await browser.visitor({ locale: 'zh-CN', ...options });
    contexts.push(context);
    const page = await context.newPage();
    const answers: Promise<string>[] = [];
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('response', (response) =>
      answers.push(
        Promise.all([response.allHeaders(), response.text().catch(() => '')]).then(
          ([headers, text]) => `${JSON.stringify(headers)}\n${text}`,
        ),
      ),
    );
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    return {
      page,
      context,
      received: async () => (await Promise.all(answers)).join('\n'),
      requests,
      complaints,
    };
  }
  const picture = async (page: Page, name: string): Promise<void> => {
    if (PICTURES === undefined) return;
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  };
  /** what axe finds wrong: names, roles, labels, contrast, languages (WCAG 2.2 A and AA) */
  async function barriers(page: Page): Promise<unknown> {
    await page.evaluate(AXE);
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(o: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      const { violations } = await axe.run({ runOnly: { type: 'tag', values: tags } });
      return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
    });
  }
  const isTooWide = (page: Page): Promise<boolean> =>
    page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
  const proxied = async (id: string): Promise<number> =>
    (
      await fetch(`http://127.0.0.1:${running.port}/customers/${encodeURIComponent(id)}`, {
        headers: { authorization: `Bearer ${running.token}`, 'sluice-purpose': 'marketing' },
      })
    ).status;

  test.each([
    ['zh-CN', '个人信息设置', '营销推广', '本公司', '联系方式、偏好', 'English', 'Your data'],
    ['en-GB', 'Your data', 'Offers', 'Our company', 'How to reach you, Preferences', '中文', '个人信息设置'],
  ])(
    'opens in the language of the browser (%s), and the other is one click away',
    async (locale, title, purpose, recipient, data, other, otherTitle) => {
      const id = person();
      await agree(id, 'marketing', '--until', '2099-12-31');
      await agree(id, 'after_sales', '--recipient', 'swift_logistics', '--from', '2099-01-01');
      await command('consent', 'withdraw', id, '--purpose', 'marketing', '--recipient', 'nobody');
      const { page, received, requests, complaints } = await watched({ locale });
      await page.goto(await linkOf(id));
      expect(page.url()).toBe(at('/'));
      expect(await page.title()).toBe(title);
      const text = await page.locator('main').innerText();
      for (const words of [purpose, recipient, data, 'swift_logistics', '2099-12-31'])
        expect(text).toContain(words);
      await picture(page, `desktop-${locale}`);
      expect(await barriers(page)).toEqual([]);
      await page.getByRole('link', { name: other }).click();
      expect(await page.title()).toBe(otherTitle);
      expect(await barriers(page)).toEqual([]);
      // The choice outlasts a change.
      await page.getByRole('button', { name: /^(?:拒绝此用途|Object)$/ }).click();
      expect(await page.title()).toBe(otherTitle);
      const bytes = await received();
      for (const hidden of [id, '8812', 'zhang-clerk', 'hmac:', 'emergency', 'own page', running.dir])
        expect(bytes).not.toContain(hidden);
      expect(requests.filter((url) => !url.startsWith(at('/')))).toEqual([]);
      expect(complaints).toEqual([]);
    },
  );

  test('a consent that is withdrawn counts at the proxy at once', async () => {
    const id = 'C100234';
    await agree(id, 'marketing');
    expect(await proxied(id)).toBe(200);
    const { page } = await watched();
    await page.goto(await linkOf(id));
    await page.getByRole('button', { name: '撤回同意：营销推广，本公司' }).click();
    expect(await proxied(id)).toBe(403);
    expect(await page.getByRole('status').innerText()).toBe('已撤回同意。');
    expect(await page.getByRole('heading', { name: '您已拒绝或撤回' }).count()).toBe(1);
    expect(await page.getByRole('button', { name: /撤回同意/ }).count()).toBe(0);
    await agree(id, 'marketing');
    expect(await proxied(id)).toBe(200);
    await page.goto(at('/'));
    await page.getByRole('combobox').selectOption({ label: '营销推广' });
    await page.getByRole('button', { name: '拒绝此用途' }).click();
    expect(await proxied(id)).toBe(403);
    await page.getByRole('button', { name: '取消拒绝：营销推广' }).click();
    expect(await proxied(id)).toBe(200);
  });

  test('everything can be done by keyboard alone on a small phone, without scripts', async () => {
    const id = person();
    await agree(
      id,
      'marketing',
      '--recipient',
      'a_partner_whose_name_is_so_long_that_it_does_not_fit_in_one_line',
    );
    const { page } = await watched({ ...PHONE, javaScriptEnabled: false });
    await page.goto(await linkOf(id));
    expect(await isTooWide(page)).toBe(false);
    await picture(page, 'phone-zh-CN');
    /** goes on with the Tab key until something of this name has the focus */
    const reach = async (role: 'button' | 'checkbox' | 'link', name: string | RegExp): Promise<void> => {
      const wanted = page.getByRole(role, { name });
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press('Tab');
        if (await wanted.evaluate((element) => element.matches(':focus'))) {
          // What has the focus is seen to have it.
          expect(await wanted.evaluate((element) => element.matches(':focus-visible'))).toBe(true);
          return;
        }
      }
      throw new Error(`the Tab key does not reach ${name}`);
    };
    await reach('button', /^撤回同意/);
    await Promise.all([page.waitForURL(/done=withdrawn/), page.keyboard.press('Enter')]);
    await reach('button', '申请查阅');
    await Promise.all([page.waitForURL(/done=requested/), page.keyboard.press('Enter')]);
    // Without the confirmation the browser sends nothing.
    await reach('button', '申请删除');
    await page.keyboard.press('Enter');
    expect(page.url()).toContain('done=requested');
    await page.goto(at('/?lang=en'));
    await reach('checkbox', 'I am sure that I want my data deleted');
    await page.keyboard.press('Space');
    await reach('button', 'Ask for deletion');
    await Promise.all([page.waitForURL(/done=requested&lang=en/), page.keyboard.press('Enter')]);
    await picture(page, 'phone-en');
    expect(await isTooWide(page)).toBe(false);
    const requests = page.getByRole('region', { name: 'Your requests' });
    expect(await requests.getByRole('listitem').count()).toBe(2);
    expect(await requests.innerText()).toContain('Deletion of your data');
    expect((await requestsOf(id)).map(({ kind }) => kind).sort()).toEqual(['access', 'erasure']);
  });

  test('a page in dark colors has no barriers either, nor has one that refuses', async () => {
    const id = person();
    await agree(id, 'marketing');
    const { page } = await watched({ colorScheme: 'dark' });
    await page.goto(await linkOf(id));
    await page.getByRole('button', { name: '申请查阅' }).click();
    expect(await barriers(page)).toEqual([]);
    await picture(page, 'desktop-dark');
    await page.goto(at('/l/nothing'));
    expect(await barriers(page)).toEqual([]);
    await picture(page, 'refused');
  });

  test('a link that is used twice opens the page; one that is over, revoked or altered says so kindly', async () => {
    const id = person();
    await agree(id, 'marketing');
    const link = await linkOf(id);
    const { page } = await watched(PHONE);
    const said = async (): Promise<string> => page.getByRole('alert').innerText();
    for (let i = 0; i < 2; i++) {
      expect((await page.goto(link))?.status()).toBe(200);
      expect(await page.getByRole('button', { name: /^撤回同意/ }).count()).toBe(1);
    }
    const middle = link.length - 30;
    const altered = `${link.slice(0, middle)}${link[middle] === 'A' ? 'B' : 'A'}${link.slice(middle + 1)}`;
    expect((await page.goto(altered))?.status()).toBe(403);
    expect(await said()).toMatch(/此链接无效或已过期。[\s\S]*This link is not valid/);
    expect(await isTooWide(page)).toBe(false);
    const before = time;
    time += 16 * 60_000;
    expect((await page.goto(at('/')))?.status()).toBe(403);
    expect(await said()).toMatch(/请重新打开我们发给您的链接[\s\S]*open the link that we sent you again/);
    expect((await page.goto(link))?.status()).toBe(200);
    expect((await command('consent', 'link', id, '--revoke')).code).toBe(0);
    await page.getByRole('button', { name: /^撤回同意/ }).click();
    expect(await said()).toContain('请重新打开我们发给您的链接');
    expect((await page.goto(link))?.status()).toBe(403);
    expect(await said()).toContain('请向我们索取新的链接');
    const second = await linkOf(id);
    time += 73 * 3_600_000;
    expect((await page.goto(second))?.status()).toBe(403);
    expect(await said()).toContain('This link is not valid, or its time is over.');
    time = before;
  });

  test('after the page was closed, the back button does not bring it back', async () => {
    const id = person();
    await agree(id, 'marketing');
    const { page, context } = await watched();
    await page.goto(await linkOf(id));
    await page.getByRole('button', { name: '关闭此页面' }).click();
    expect(await page.getByRole('alert').innerText()).toContain('页面已关闭');
    expect(await context.cookies()).toEqual([]);
    await page.goBack();
    const text = await page.locator('body').innerText();
    expect(text).not.toContain('营销推广');
    expect(text).toContain('请重新打开');
  });

  test('a button that is pressed twice does once what it says, and two windows of one link do not disturb each other', async () => {
    const id = person();
    await agree(id, 'marketing');
    const link = await linkOf(id);
    const { page, context } = await watched();
    await page.goto(link);
    const other = await context.newPage();
    await other.goto(link);
    await page.getByRole('button', { name: /^撤回同意/ }).dblclick();
    await page.waitForURL(/done=withdrawn/);
    await other.getByRole('button', { name: /^撤回同意/ }).click();
    expect(await other.getByRole('status').innerText()).toBe('已撤回同意。');
    await other.getByRole('button', { name: '申请查阅' }).dblclick();
    await other.waitForURL(/done=(?:requested|known)/);
    const events = await asked<{ what: string }[]>('consent', 'history', id);
    expect(events.map(({ what }) => what)).toEqual(['given', 'withdrawn']);
    expect(await requestsOf(id)).toHaveLength(1);
  });

  test('a page of another site can neither send a form in the name of the customer, nor frame the page', async () => {
    const id = person();
    await agree(id, 'marketing');
    const { page } = await watched();
    await page.goto(await linkOf(id));
    const hostile = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(
        `<iframe src="${at('/')}"></iframe><form method="post" action="${at('/withdraw')}"><input name="purpose" value="marketing"><input name="recipient" value="internal"><button>win</button></form>`,
      );
    });
    await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));
    await page.goto(`http://localhost:${(hostile.address() as AddressInfo).port}/`);
    for (const frame of page.frames().slice(1))
      expect(await frame.locator('body').innerText()).not.toContain('营销');
    await page.getByRole('button', { name: 'win' }).click();
    await page.waitForURL(at('/withdraw'));
    expect(await page.getByRole('alert').innerText()).toContain('此页面没有打开');
    hostile.close();
    await page.goto(at('/'));
    expect(await page.getByRole('button', { name: /^撤回同意/ }).count()).toBe(1);
  });
});
