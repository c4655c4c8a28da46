import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Consent } from '../../src/model/consent.ts';
import type { DisclosureInput } from '../../src/model/input.ts';
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { DEFAULT_CACHE, DEFAULT_LIMITS } from '../../src/policy/settings.ts';
import { createSnapshot, type LivePolicy } from '../../src/policy/snapshot/index.ts';
import { createProjection } from '../../src/policy/snapshot/projection.ts';
import { codesOf, disclosureFor, fixture, inputFor, policyOf } from './support.ts';

const snapshotOf = async (decision: string, disclosure = '{"disclose": true}'): Promise<LivePolicy> =>
  createSnapshot(
    await policyOf(`package sluice\n\ndecision := ${decision}\n\ndisclosure := ${disclosure}\n`),
  );
const ask = async (decision: string) =>
  (await snapshotOf(decision)).decide(inputFor('support', 'after_sales'));
const uncached = (bundle: PolicyBundle) =>
  createSnapshot(bundle, { cache: { ...DEFAULT_CACHE, entries: 0 } });

describe('a question', () => {
  let policy: LivePolicy;
  beforeAll(async () => {
    policy = await createSnapshot(await fixture());
  });

  test('is answered by the policy, with data of its own', () => {
    expect(policy.decide(inputFor('support', 'after_sales'))).toEqual({
      allow: true,
      reasons: [],
      tier: 2,
      obligations: { max_records: 200, review: true },
    });
    expect(policy.decide(inputFor('support', 'market_research')).allow).toBe(false);
  });

  test('has one answer object for inputs that differ only in what the policy does not read', () => {
    const first = policy.decide(inputFor('support', 'after_sales'));
    const other = inputFor('support', 'after_sales', '2027-01-01T00:00:00Z');
    expect(policy.decide({ ...other, resource: { ...other.resource, id: 'C7' } })).toBe(first);
    expect(Object.isFrozen(first.obligations)).toBe(true);
  });

  test('never gets the cached answer of another role, purpose or consent', () => {
    const given: Consent = {
      purpose: 'after_sales',
      categories: ['contact'],
      recipient: 'internal',
      status: 'given',
    };
    const input = inputFor('support', 'after_sales');
    const treatment = (consents: Consent[]) =>
      policy.disclose(disclosureFor(input, consents)).classes['contact/3']?.do;
    expect([
      treatment([given]),
      treatment([]),
      treatment([{ ...given, status: 'withdrawn' }]),
      treatment([given]),
    ]).toEqual(['disclose', 'mask', 'mask', 'disclose']);
  });

  test('notices a change in an object that was part of an earlier question', () => {
    const roles = ['support'];
    const base = inputFor('support', 'after_sales');
    const input = {
      ...base,
      subject: { ...base.subject, properties: { ...base.subject.properties, roles } },
    };
    expect(policy.decide(input).allow).toBe(true);
    roles[0] = 'analyst';
    expect(policy.decide(input).allow).toBe(false);
  });

  test('has a key of its own for each place at which a frozen object is read', () => {
    const keyOf = createProjection([
      ['subject', 'id'],
      ['resource', 'type'],
    ]);
    const both = (about: object): string => keyOf({ subject: about, resource: about }, '');
    expect(both(deepFreeze({ id: 'a', type: 'x' }))).not.toBe(both(deepFreeze({ id: 'a', type: 'y' })));
  });

  test('notices a change below a frozen object that was part of an earlier question', () => {
    const roles = ['support'];
    const subject = Object.freeze({ roles });
    const keyOf = createProjection([['subject']]);
    const before = keyOf({ subject }, '');
    roles[0] = 'analyst';
    expect(keyOf({ subject }, '')).not.toBe(before);
  });

  test('has the same answer cached and uncached, for any input', async () => {
    const plain = await uncached(await fixture());
    const consent = fc.record({
      purpose: fc.constantFrom('after_sales', 'market_research'),
      categories: fc.subarray(['contact', 'identity']),
      recipient: fc.constant('internal'),
      status: fc.constantFrom<Consent['status']>('given', 'withdrawn', 'expired', 'pending'),
    });
    const anInput = fc
      .tuple(
        fc.constantFrom('support', 'analyst', 'nobody'),
        fc.constantFrom('after_sales', 'market_research', ''),
        fc.array(consent, { maxLength: 3 }),
        fc.boolean(),
      )
      .map(([role, purpose, consents, frozen]): DisclosureInput => {
        const input = disclosureFor(inputFor(role, purpose), consents);
        return frozen ? deepFreeze(input) : input;
      });
    fc.assert(
      fc.property(anInput, (input) => {
        expect(policy.decide(input)).toEqual(plain.decide(input));
        expect(policy.disclose(input)).toEqual(plain.disclose(input));
      }),
      { numRuns: 500 },
    );
    expect(policy.stats().hits).toBeGreaterThan(100);
  });
});

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null)
    for (const v of Object.values(Object.freeze(value))) deepFreeze(v);
  return value;
};

describe('time', () => {
  const at = (policy: LivePolicy, time: string) =>
    policy.decide(inputFor('support', 'after_sales', time)).obligations['at'];

  test('is rounded to steps, so that answers can be cached within one', async () => {
    const policy = await snapshotOf('{"allow": true, "obligations": {"at": input.context.time}}');
    expect(at(policy, '2026-11-22T08:00:00.900Z')).toBe('2026-11-22T08:00:00.000Z');
    expect(at(policy, '2026-11-22T08:00:00.100Z')).toBe('2026-11-22T08:00:00.000Z');
    expect(policy.stats()).toMatchObject({ hits: 1, misses: 1 });
    expect(at(policy, '2026-11-22T08:00:01Z')).toBe('2026-11-22T08:00:01.000Z');
    expect(at(policy, '2026-11-22T09:00:00+01:00')).toBe('2026-11-22T08:00:00.000Z');
  });

  test('that is not a valid time denies', async () => {
    const policy = await snapshotOf('{"allow": true}');
    expect(codesOf(policy.decide(inputFor('support', 'x', 'yesterday')))).toEqual([
      'policy_evaluation_failed',
    ]);
  });

  test('does not expire answers of a policy that does not read it', async () => {
    const policy = await snapshotOf('{"allow": true}');
    at(policy, '2026-11-22T08:00:00Z');
    at(policy, '2030-11-22T08:00:00Z');
    expect(policy.stats()).toMatchObject({ hits: 1, misses: 1 });
  });
});

describe('a denial with the code of the failure is the answer', () => {
  test('where the rule is undefined', async () => {
    const policy = await createSnapshot(
      await policyOf(
        'package sluice\n\ndecision := {"allow": true} if input.nope\n\ndisclosure := {"disclose": true} if input.nope\n',
      ),
    );
    const input = inputFor('support', 'after_sales');
    expect(policy.decide(input)).toMatchObject({ allow: false, tier: null, obligations: {} });
    expect(codesOf(policy.decide(input))).toEqual(['policy_undefined']);
    expect(policy.disclose(disclosureFor(input))).toMatchObject({ disclose: false, classes: {}, fields: {} });
  });

  test.each([
    ['true'],
    ['{}'],
    ['{"allow": "true"}'],
    ['{"alow": true}'],
    ['{"allow": true, "obligation": {"max_records": 1}}'],
    ['{"allow": true, "reasons": ["x"]}'],
    ['{"allow": true, "reasons": {"code": "x"}}'],
    ['{"allow": true, "tier": 4}'],
    ['{"allow": true, "obligations": {"max_records": "5"}}'],
    ['{"allow": true, "obligations": {"max_records": -1}}'],
    ['{"allow": true, "obligations": []}'],
    ['[{"allow": true}]'],
  ])('where the decision is %s', async (answer) => {
    const got = await ask(answer);
    expect(got.allow).toBe(false);
    expect(codesOf(got)).toEqual(['policy_answer_malformed']);
  });

  test.each([
    ['{"disclose": 1}'],
    ['{"disclose": true, "class": {}}'],
    ['{"disclose": true, "classes": {"contact/3": "disclose"}}'],
    ['{"disclose": true, "classes": {"contact/3": {"do": "show", "because": "x"}}}'],
    ['{"disclose": true, "classes": {"contact/3": {"do": "disclose"}}}'],
    ['{"disclose": true, "classes": {"contact/3": {"do": "mask", "because": "x", "kind": "phone"}}}'],
    ['{"disclose": true, "fields": [{"do": "drop", "because": "x"}]}'],
  ])('where the disclosure is %s', async (answer) => {
    const policy = await snapshotOf('{"allow": true}', answer);
    const got = policy.disclose(disclosureFor(inputFor('support', 'x')));
    expect(got.disclose).toBe(false);
    expect(codesOf(got)).toEqual(['policy_answer_malformed']);
  });

  test('where the input is larger than allowed', async () => {
    const bundle = await policyOf(
      'package sluice\n\ndecision := {"allow": true, "obligations": {"n": input}}\n\ndisclosure := {}\n',
    );
    const policy = await createSnapshot(bundle, { limits: { ...DEFAULT_LIMITS, input_bytes: 2048 } });
    expect(codesOf(policy.decide(inputFor('x'.repeat(3000), 'x')))).toEqual(['policy_input_too_large']);
    expect(policy.decide(inputFor('support', 'x')).allow).toBe(true);
  });

  test('where rules contradict each other, and the next question is answered', async () => {
    const policy = await createSnapshot(
      await policyOf(
        'package sluice\n\ndecision := {"allow": true} if input.context.purpose\n\ndecision := {"allow": false} if input.context.purpose == "both"\n\ndisclosure := {}\n',
      ),
    );
    expect(codesOf(policy.decide(inputFor('support', 'both')))).toEqual(['policy_evaluation_failed']);
    expect(policy.decide(inputFor('support', 'one')).allow).toBe(true);
  });
});

test('an obligation that Sluice does not know is passed on', async () => {
  expect((await ask('{"allow": true, "obligations": {"ticket_required": true}}')).obligations).toEqual({
    ticket_required: true,
  });
});

test('an input of one megabyte is answered', async () => {
  // of memory and of the input's bound, not of how fast this machine is
  const policy = await createSnapshot(await fixture(), {
    limits: { ...DEFAULT_LIMITS, evaluation_ms: 10_000 },
  });
  const consents = Array.from(
    { length: 10_000 },
    (_, i): Consent => ({
      purpose: `p${i}`,
      categories: ['contact'],
      recipient: 'internal',
      status: 'given',
      id: 'x'.repeat(30),
    }),
  );
  expect(policy.disclose(disclosureFor(inputFor('support', 'after_sales'), consents)).disclose).toBe(true);
});

test.each([
  ['input.record.attributes.vip', ['vip']],
  ['object.get(input.record.attributes, "vip", input.record.attributes.region) == true', ['region', 'vip']],
  ['held(input.record)', ['dated']],
  ['count(input.record.attributes) > 0', null],
  ['input.record.attributes[input.context.purpose]', null],
  ['input.record', null],
  ['input.context.tier == 2', []],
])('says which attributes of records it looks at: %s', async (rule, names) => {
  const policy = await createSnapshot(
    await policyOf(
      `package sluice\n\ndecision := {"allow": true}\n\ndisclosure := {"disclose": ok}\n\ndefault ok := false\n\nok if ${rule}\n\nheld(record) if record.attributes.dated\n`,
    ),
  );
  expect(policy.reads_attributes).toEqual(names);
});
