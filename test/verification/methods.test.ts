import { expect, test, vi } from 'vitest';
import { PROOF_HEADERS } from '../../src/model/verification.ts';
import { createCases } from '../../src/verification/cases.ts';
import { createFailures } from '../../src/verification/failures.ts';
import { createVerifications } from '../../src/verification/index.ts';
import type { CaseConfig } from '../../src/verification/section.ts';

const config = (over: Partial<CaseConfig> = {}): CaseConfig => ({
  upstream: 'crm',
  path: '/cases/{value}/owner',
  pattern: '[A-Z]+-[0-9]+',
  data_subject: '/of/customer',
  cache: 0,
  ...over,
});
const answering = (body: unknown, status = 200) =>
  vi.fn(async (_upstream: string, _target: string) => ({ status, body: JSON.stringify(body) }));

test('a number of another form is not asked for', async () => {
  const ask = answering({ of: { customer: 'C1' } });
  const find = createCases(config(), ask);
  for (const value of ['', '.', '..', 'cl-1', 'CL-1/x', 'CL-1 ', 'CL-1\n', '$&', 'CL-１'])
    expect(await find(value, 'u-1')).toEqual({ failure: 'failed' });
  expect(ask).not.toHaveBeenCalled();
  expect(await find('CL-1', 'u-1')).toEqual({ data_subject: 'C1' });
  expect(ask).toHaveBeenCalledExactlyOnceWith('crm', '/cases/CL-1/owner');
});

test.each<[string, unknown]>([
  ['nothing', {}],
  ['null', { of: { customer: null } }],
  ['an empty text', { of: { customer: ' ' } }],
  ['a list', { of: { customer: ['C1'] } }],
  ['an object', { of: { customer: { id: 'C1' } } }],
  ['true', { of: { customer: true } }],
  ['a number that is not exact', { of: { customer: 2 ** 60 } }],
  ['what an object inherits', []],
])('a case whose data subject is %s proves nothing', async (_, body) => {
  expect(await createCases(config(), answering(body))('CL-1', 'u-1')).toEqual({ failure: 'failed' });
});

test('a case that is remembered is asked for once, and is still of its own caller alone', async () => {
  const ask = answering({ of: { customer: 7 }, by: 'u-1' });
  const find = createCases(config({ cache: 60_000, caller: '/by' }), ask);
  expect(await find('CL-1', 'u-1')).toEqual({ data_subject: '7' });
  expect(await find('CL-1', 'u-2')).toEqual({ failure: 'failed' });
  expect(await find('CL-1', 'u-1')).toEqual({ data_subject: '7' });
  expect(ask).toHaveBeenCalledTimes(1);
});

test('a case that proves nothing is not remembered', async () => {
  const ask = vi.fn(async () => ({ status: 404, body: '' }));
  const find = createCases(config({ cache: 60_000 }), ask);
  await find('CL-1', 'u-1');
  await find('CL-1', 'u-1');
  expect(ask).toHaveBeenCalledTimes(2);
});

test.each([
  [500, '{}'],
  [301, '{}'],
  [200, 'no JSON'],
  [200, null],
])('an answer %s %s is no answer about a case', async (status, body) => {
  const find = createCases(config(), async () => ({ status, body }));
  await expect(find('CL-1', 'u-1')).rejects.toMatchObject({ code: 'verification_unavailable' });
});

test('a caller with too many failed proofs is not listened to until ten minutes have passed', () => {
  let now = 0;
  const failures = createFailures(3, () => now);
  for (let n = 0; n < 3; n++) {
    expect(failures.isBlocked('u-1')).toBe(false);
    failures.count('u-1');
  }
  expect(failures.isBlocked('u-1')).toBe(true);
  expect(failures.isBlocked('u-2')).toBe(false);
  now = 10 * 60_000 - 1;
  expect(failures.isBlocked('u-1')).toBe(true);
  now += 1;
  expect(failures.isBlocked('u-1')).toBe(false);
});

test('a blocked caller is told the same, and nobody is asked; a proof about somebody else counts as failed', async () => {
  const ask = vi.fn(async () => ({ status: 404, body: '' }));
  const verifications = createVerifications(
    { case: config(), failures: 2 } as Parameters<typeof createVerifications>[0],
    { ask, verifyAssertion: null, codes: null },
  );
  const proof = () =>
    verifications.check({ headers: { 'sluice-case': 'CL-1' }, caller: 'u-1', at: new Date(0) });
  const first = await proof();
  verifications.mismatched('u-1');
  expect(await proof()).toEqual(first);
  expect(ask).toHaveBeenCalledTimes(1);
});

test('of many wrong proofs at once only so many are tried, and right ones are not counted', async () => {
  const asked: string[] = [];
  const right = JSON.stringify({ customer: '张三' });
  const verifications = createVerifications(
    { case: config(), failures: 5 } as Parameters<typeof createVerifications>[0],
    {
      ask: async (_upstream, target) => {
        asked.push(target);
        return { status: 404, body: right };
      },
      verifyAssertion: null,
      codes: null,
    },
  );
  const tries = Array.from({ length: 200 }, (_, n) =>
    verifications.check({ headers: { 'sluice-case': `CL-${n}` }, caller: 'u-1', at: new Date(0) }),
  );
  await Promise.all(tries);
  expect(asked).toHaveLength(5);
});

test('a proof by a method that is not configured proves nothing', async () => {
  const verifications = createVerifications({ failures: 9 } as Parameters<typeof createVerifications>[0], {
    ask: answering({}),
    verifyAssertion: null,
    codes: null,
  });
  expect(verifications.methods).toEqual([]);
  for (const [method, header] of Object.entries(PROOF_HEADERS))
    expect(
      await verifications.check({ headers: { [header.toLowerCase()]: 'x' }, caller: 'u', at: new Date(0) }),
    ).toEqual({ state: { at: '1970-01-01T00:00:00.000Z', failure: 'failed', method, verified: false } });
  expect(verifications.check({ headers: {}, caller: 'u', at: new Date(0) })).toBeNull();
});
