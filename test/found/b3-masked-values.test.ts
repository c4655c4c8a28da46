/**
 * Class: a masked value overwrites the real one. Root cause: a value was taken for masked only if this caller would be shown this very mask now;
 * it may come from a colleague, from another purpose, or stand in a longer text.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { isDisguised } from '../../src/disclosure/guard/disguised.ts';
import { createMask, MASK_KINDS } from '../../src/disclosure/treatments/masks/kinds.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer, type Running, startSluice } from '../support/sluice.ts';
import { type Answer, exchange, jsonOf, requestText, textOf } from '../support/wire.ts';

const REAL: Readonly<Record<string, string>> = {
  address: '浙江省杭州市西湖区文三路100号',
  bank_card: '6222021234567890128',
  email: 'zhang.san@example.com',
  generic: 'something long enough',
  ip: '192.168.12.34',
  landline: '010-12345678',
  national_id: '110101199003074514',
  passport: 'E12345678',
  person_name: '张三丰',
  phone: '13812345678',
  plate: '浙A12345',
};
const OPEN = { category: 'open', grade: 1 };
let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  process.env['B3_TEST_KEY'] = randomBytes(32).toString('base64');
  upstream = await startHostile();
  const route = { upstream: 'crm', resource: 'user', action: 'update' };
  running = await startSluice({
    upstream: upstream.url,
    catalogs: {
      user: {
        fields: {
          ...Object.fromEntries(MASK_KINDS.map((kind) => [`/${kind}`, { ...OPEN, mask: kind }])),
          ...Object.fromEntries(MASK_KINDS.map((kind) => [`/list/${kind}/*`, { ...OPEN, mask: kind }])),
          '/notes': OPEN,
          '/scrubbed': { ...OPEN, scrub: {} },
          '/plain': OPEN,
          '/amount': { ...OPEN, generalize: { round: 100 } },
          '/card': { ...OPEN, tokenize: {} },
          '/whole': { ...OPEN, mask: 'phone', whole: true },
        },
      },
    },
    // everything is seen in clear, and may be written
    answers: { user: { '*': answer({ 'open/1': 'disclose' }) } },
    routes: [
      { ...route, match: 'PUT /users/{id}', id: '{id}', request: { replaces: false } },
      { ...route, match: 'POST /form/{id}', id: '{id}', request: { format: 'form' } },
      {
        ...route,
        match: 'POST /soap',
        when: { body: { '/operation': 'Update' } },
        request: { format: 'soap', record: '/arguments', params: ['/namespace'] },
      },
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

const send = (line: string, body: string, type = 'application/json'): Promise<Answer> =>
  exchange(
    running.port,
    requestText(line, { ...running.caller, 'Content-Type': type }, Buffer.from(body).toString('latin1')),
  );
async function expectMasked(given: Promise<Answer>): Promise<void> {
  expect(jsonOf(await given)).toMatchObject({ status: 422, code: 'masked_value_refused' });
  expect(upstream.received).toEqual([]);
}
const masked = (kind: string): string => createMask(kind).apply(REAL[kind]!)!;

test.each(MASK_KINDS)('a masked %s is refused from a caller who sees it in clear', async (kind) => {
  await expectMasked(send('PUT /users/7', JSON.stringify({ [kind]: masked(kind) })));
  await expectMasked(send('PUT /users/7', JSON.stringify({ list: { [kind]: [REAL[kind], masked(kind)] } })));
  await send('PUT /users/7', JSON.stringify({ [kind]: REAL[kind], list: { [kind]: [REAL[kind]] } }));
  expect(upstream.received).toHaveLength(1);
});

const PSEUDONYM = `ps_${randomBytes(16).toString('base64url')}`;
const JWE = 'eyJhbGciOiJFQ0RILUVTIn0.AA.BBBB.CC.DDDD';
test.each([
  ['a number with a word behind it', { phone: '138****5678 (mobile)' }],
  ['a masked number in a note', { notes: 'call 138****5678 tomorrow' }],
  ['a masked address in a note', { notes: 'mail z****@example.com' }],
  ['a value that is hidden whole', { plain: '****' }],
  ['a scrubbed text', { scrubbed: '客户张**来电' }],
  ['other signs than stars', { phone: '138••••5678' }],
  ['full-width signs', { phone: '１３８＊＊＊＊５６７８' }],
  ['a masked value deep in what is written whole', { whole: { a: ['138****5678'] } }],
  ['a pseudonym', { plain: PSEUDONYM }],
  ['a pseudonym in a note', { notes: `see ${PSEUDONYM}.` }],
  ['an encrypted value', { plain: JWE }],
  ['a pseudonym where a phone is meant', { phone: PSEUDONYM }],
])('%s is refused', async (_what, body) => {
  await expectMasked(send('PUT /users/7', JSON.stringify(body)));
});

test('what some tier scrubs is known scrubbed from a caller who reads it in clear', () => {
  const entry = { category: 'notes', grade: 3 };
  const shown = { do: 'disclose', because: 'grant' } as const;
  const value = { kind: 'string', text: '张**来电' } as const;
  const tiers = { 2: { categories: { notes: 'scrub' } } };
  expect(isDisguised(entry, shown, value, { tiers })).toBe(true);
  expect(isDisguised({ ...entry }, shown, value, { tiers: { 2: { categories: { notes: 'drop' } } } })).toBe(
    false,
  );
  expect(isDisguised({ ...entry }, shown, value, { tiers: 'none' })).toBe(false);
});

test('whoever looks at a line first does not decide what is known scrubbed later', () => {
  const entry = { category: 'notes', grade: 3 };
  const shown = { do: 'disclose', because: 'grant' } as const;
  const value = { kind: 'string', text: '张**来电' } as const;
  isDisguised(entry, shown, value, {});
  expect(isDisguised(entry, shown, value, { tiers: { 2: { categories: { notes: 'scrub' } } } })).toBe(true);
});

test('a masked value is refused in a form and in SOAP', async () => {
  const form = `phone=${encodeURIComponent('138****5678')}`;
  await expectMasked(send('POST /form/7', form, 'application/x-www-form-urlencoded'));
  const soap =
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><Update><phone>138****5678</phone></Update></e:Body></e:Envelope>';
  expect(textOf(await send('POST /soap', soap, 'text/xml'))).toContain('masked_value_refused');
  expect(upstream.received).toEqual([]);
});

test.each([
  ['emphasis in a note', { notes: 'this is **important**, and *this* too' }],
  ['a product', { plain: '2 * 4 mm' }],
  ['stars of a rating', { plain: '***' }],
  ['a round amount, which may be a real one', { amount: 300 }],
  ['a card number, which may be a token', { card: '6222021234567890128' }],
])('%s is written', async (_what, body) => {
  await send('PUT /users/7', JSON.stringify(body));
  expect(upstream.received.map((r) => r.body.toString())).toEqual([JSON.stringify(body)]);
});
