import { describe, expect, test } from 'vitest';
import type { PurposeConfig } from '../../src/routing/section/purpose.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { Subject } from '../../src/model/input.ts';
import { knownFrom, resolvePurpose } from '../../src/routing/index.ts';
import type { PurposeRequest } from '../../src/routing/purpose.ts';

const CONFIG: PurposeConfig = {
  header: 'Sluice-Purpose',
  claim: 'purpose',
  default: null,
  recipients: { 'head-office': 'internal', swift: 'swift_logistics' },
  justification: 20,
};
const KNOWN = {
  purposes: new Set(['after_sales', 'claims', 'emergency', 'delivery']),
  recipients: new Set(['swift_logistics', 'city_clinic']),
};

const subject = (organization = 'internal'): Subject => ({
  type: 'user',
  id: 'u-17',
  properties: {
    roles: [],
    department: null,
    organization,
    clearance: null,
    assurance: { amr: [], acr: null, auth_time: null },
  },
});

const resolve = (request: Partial<PurposeRequest> = {}, config: Partial<PurposeConfig> = {}) =>
  resolvePurpose(
    { ...CONFIG, ...config },
    {
      headers: {},
      subject: subject(),
      claims: {},
      purpose: null,
      route: { purpose: null },
      known: KNOWN,
      ...request,
    },
  );
const codeOf = (...args: Parameters<typeof resolve>): string => {
  try {
    resolve(...args);
    return 'resolved';
  } catch (e) {
    if (isSluiceError(e)) return e.code;
    throw e;
  }
};
const asked = (headers: Record<string, string>) => ({
  headers: { 'sluice-purpose': 'after_sales', ...headers },
});

describe('a purpose', () => {
  test('comes from the header, else the claim, else the route, else the client, else the configuration', () => {
    const all = {
      headers: { 'sluice-purpose': 'after_sales' },
      claims: {},
      route: { purpose: 'emergency' },
      purpose: 'delivery',
    };
    expect(resolve(all).purpose).toBe('after_sales');
    expect(resolve({ ...all, headers: {}, claims: { purpose: 'claims' } }).purpose).toBe('claims');
    expect(resolve({ ...all, headers: {} }).purpose).toBe('emergency');
    expect(resolve({ purpose: 'delivery' }).purpose).toBe('delivery');
    expect(resolve({}, { default: 'claims' }).purpose).toBe('claims');
  });
  test('that nobody names is missing', () => {
    expect(codeOf()).toBe('purpose_missing');
  });
  test.each(['marketing', '', 'after_sales, claims', 'AFTER_SALES', 'constructor', '__proto__'])(
    '%j is unknown to the policy',
    (name) => {
      expect(codeOf({ headers: { 'sluice-purpose': name } })).toBe('purpose_unknown');
    },
  );
  test('outside those that the credential is bound to is refused', () => {
    const headers = { 'sluice-purpose': 'claims' };
    expect(codeOf({ headers, claims: { purpose: 'after_sales' } })).toBe('purpose_unknown');
    expect(codeOf({ headers, claims: { purpose: ['after_sales', 'claims'] } })).toBe('resolved');
    expect(codeOf({ headers, claims: { purpose: 'after_sales claims' } })).toBe('resolved');
    expect(codeOf({ headers, claims: { purpose: [] } })).toBe('purpose_unknown');
  });
  test('of the route does not get around what the credential is bound to', () => {
    expect(codeOf({ route: { purpose: 'claims' }, claims: { purpose: ['after_sales', 'delivery'] } })).toBe(
      'purpose_unknown',
    );
  });
  test('in a claim that cannot be read is a refusal', () => {
    expect(codeOf({ headers: { 'sluice-purpose': 'claims' }, claims: { purpose: { a: 1 } } })).toBe(
      'purpose_unknown',
    );
  });
  test('may come from a header of another name', () => {
    expect(resolve({ headers: { 'x-purpose': 'claims' } }, { header: 'X-Purpose' }).purpose).toBe('claims');
  });
  test('in a header that stands twice is refused', () => {
    expect(codeOf({ headers: { 'sluice-purpose': ['claims', 'claims'] } })).toBe('request_malformed');
  });
});

describe('a recipient', () => {
  test("is the caller's organization, by the name that the policy has for it", () => {
    expect(resolve(asked({})).recipient).toBe('internal');
    expect(resolve({ ...asked({}), subject: subject('head-office') }).recipient).toBe('internal');
    expect(resolve({ ...asked({}), subject: subject('swift') }).recipient).toBe('swift_logistics');
  });
  test('may be a partner when our own people ask', () => {
    expect(resolve(asked({ 'sluice-recipient': 'city_clinic' })).recipient).toBe('city_clinic');
  });
  test.each(['internal', 'city_clinic'])('%s cannot be claimed by a partner', (recipient) => {
    expect(codeOf({ ...asked({ 'sluice-recipient': recipient }), subject: subject('swift') })).toBe(
      'recipient_unknown',
    );
  });
  test('that the policy has no agreement with is refused', () => {
    expect(codeOf(asked({ 'sluice-recipient': 'nobody' }))).toBe('recipient_unknown');
    expect(codeOf({ ...asked({}), subject: subject('nobody') })).toBe('recipient_unknown');
    expect(codeOf({ ...asked({}), subject: subject('constructor') })).toBe('recipient_unknown');
  });
});

describe('a tier', () => {
  test('is 1, 2, 3 or not said', () => {
    expect(
      [undefined, '1', '2', '3'].map((t) => resolve(asked(t === undefined ? {} : { 'sluice-tier': t })).tier),
    ).toEqual([null, 1, 2, 3]);
  });
  test.each(['0', '4', '', '01', '1.0', 'emergency', '1, 2'])('%j is none', (tier) => {
    expect(codeOf(asked({ 'sluice-tier': tier }))).toBe('tier_invalid');
  });
});

describe('a justification', () => {
  const told = (value: string) => resolve(asked({ 'sluice-justification': value })).justification;
  test.each([
    ['ticket 8812', 'ticket 8812'],
    ['', null],
    ['%E5%B7%A5%E5%8D%95%208812', '工单 8812'],
    ["UTF-8''%E5%B7%A5%E5%8D%95", '工单'],
    ["utf-8'zh'%E5%B7%A5%E5%8D%95", '工单'],
    [Buffer.from('工单').toString('latin1'), '工单'],
    ['100% sure', '100% sure'],
    ['20%zz', '20%zz'],
  ])('%j reads %j', (value, text) => {
    expect(told(value)).toBe(text);
  });
  test.each([
    ['is too long', 'x'.repeat(21)],
    ['is too long once decoded', encodeURIComponent('工'.repeat(21))],
    ['has a line break', 'a%0ab'],
    ['is not UTF-8', 'caf\u00e9'],
    ['says UTF-8 and is not', "UTF-8''%ff"],
  ])('that %s is refused', (_what, value) => {
    expect(codeOf(asked({ 'sluice-justification': value }))).toBe('request_malformed');
  });
});

test('a grant is an id', () => {
  expect(resolve(asked({ 'sluice-grant': 'g-1:a.b' })).grant).toBe('g-1:a.b');
  expect(resolve(asked({})).grant).toBeNull();
  expect(codeOf(asked({ 'sluice-grant': 'g 1' }))).toBe('request_malformed');
});

describe("what is known of a policy's data", () => {
  test('are the names of its purposes and partners', () => {
    const known = knownFrom({ purposes: { claims: {} }, partners: ['swift'] });
    expect([...known.purposes, ...known.recipients]).toEqual(['claims', 'swift']);
  });
  test('is nothing where the data has none: everything is refused then', () => {
    expect(codeOf({ headers: { 'sluice-purpose': 'claims' }, known: knownFrom({}) })).toBe('purpose_unknown');
  });
});
