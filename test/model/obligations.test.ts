/** An obligation is fulfilled or the request is denied. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DecisionAnswer } from '../../src/model/answers.ts';
import { heeding, OBLIGATIONS } from '../../src/model/obligations.ts';

const answer = (obligations: DecisionAnswer['obligations'], allow = true): DecisionAnswer => ({
  allow,
  reasons: [{ code: 'role_permits' }],
  tier: 2,
  obligations,
});
const codes = ({ reasons }: DecisionAnswer): string[] => reasons.map((r) => r.code);

test('each one that has a component is allowed, and each other one denies', () => {
  const values: Readonly<Record<string, unknown>> = {
    max_records: 0,
    min_group_size: 5,
    record_filter: [{ resource: 'customer', attribute: 'dated', within: 'P6M' }],
    review: true,
    watermark: true,
    retention: [],
    subject_verification: ['case'],
    step_up: 'mfa',
  };
  expect(Object.keys(values).sort()).toEqual(Object.keys(OBLIGATIONS).sort());
  expect(heeding(answer({ max_records: 0, min_group_size: 5, review: true })).allow).toBe(true);
  expect(codes(heeding(answer({ watermark: true })))).toEqual(['obligation_unfulfillable']);
  expect(heeding(answer({ step_up: 'mfa' }))).toMatchObject({
    allow: false,
    reasons: [{ code: 'step_up_required' }],
    obligations: { step_up: 'mfa' },
  });
});

test('whatever the name, what is demanded and unknown denies, and null and false demand nothing', () => {
  const name = fc
    .oneof(fc.string(), fc.constantFrom('toString', '__proto__', 'constructor', 'max_record', 'Review'))
    .filter((n) => !Object.keys(OBLIGATIONS).includes(n));
  fc.assert(
    fc.property(name, fc.jsonValue(), fc.boolean(), (unknown, value, allow) => {
      const obligations = Object.defineProperty({ max_records: 5 } as Record<string, unknown>, unknown, {
        value,
        enumerable: true,
      });
      const heeded = heeding(answer(obligations, allow));
      const isDemanded = value !== null && value !== false;
      expect(heeded.allow).toBe(allow && !isDemanded);
      if (allow && isDemanded) {
        expect(codes(heeded)).toEqual(['obligation_unfulfillable']);
        expect(heeded.reasons[0]?.message).toContain(JSON.stringify(unknown));
      } else expect(codes(heeded)).toEqual(['role_permits']);
    }),
  );
});
