/** What the default policy promises whatever it is asked, on made-up requests, many in one run of OPA. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const OPA = process.env['OPA_BIN'] ?? 'node_modules/opa-linux-x64/opa';
if (!existsSync(OPA)) console.warn(`skipped: no OPA at ${OPA}`);
const data = Object.assign(
  {},
  ...readdirSync('policies/data').map((f) => parse(readFileSync(`policies/data/${f}`, 'utf8'))),
) as { [key: string]: Record<string, Record<string, unknown>> };
const categories = Object.keys(data['categories']!);
const classes = categories.flatMap((category) =>
  [1, 2, 3, 4, 5].map((grade) => ({ class: `${category}/${grade}`, category, grade })),
);

const oneOf = (known: readonly string[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...known) }, fc.string());
const purpose = oneOf(Object.keys(data['purposes']!));
const recipient = oneOf(['internal', 'internal', 'internal', ...Object.keys(data['partners']!)]);
const category = fc.oneof(fc.constantFrom(...categories), fc.constant('*'));
const junk = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.string(),
  fc.constant([]),
  fc.constant({}),
);
const mostly = <T>(a: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 19, arbitrary: a as fc.Arbitrary<unknown> }, junk);

const consent = fc.record(
  {
    purpose: fc.oneof(purpose, fc.constant('*')),
    recipient: fc.oneof(recipient, fc.constant('*')),
    categories: fc.array(category, { maxLength: 3 }),
    status: mostly(fc.constantFrom('given', 'withdrawn', 'expired', 'pending')),
    explicit: mostly(fc.boolean()),
  },
  { requiredKeys: ['purpose', 'recipient', 'categories', 'status'] },
);

/** A role is drawn first and the rest mostly from what it may do, so that a good part of the requests is allowed. */
const requestOf = (role: string) => {
  const settings = data['roles']![role]!;
  const departments = (settings['departments'] ?? ['any']) as string[];
  const outside = settings['recipients'] === 'own';
  const partner = fc.constantFrom('swift_logistics', ...Object.keys(data['partners']!));
  return (outside ? partner : fc.constant('internal')).chain((organization) =>
    fc.record({
      subject: fc.record({
        type: mostly(fc.constantFrom(...(settings['subject_types'] as string[]))),
        id: fc.string(),
        properties: fc.record({
          roles: mostly(fc.constant([role])),
          department: mostly(fc.constantFrom(...departments)),
          organization: mostly(fc.constant(organization)),
          clearance: mostly(fc.integer({ min: 0, max: 6 })),
          assurance: mostly(
            fc.record({ amr: fc.subarray(['pwd', 'otp', 'sms']), acr: fc.constantFrom(null, '2', 'aal2') }),
          ),
        }),
      }),
      action: fc.record({ name: mostly(fc.constantFrom(...(settings['actions'] as string[]))) }),
      resource: fc.constant({ type: 'customer', id: 'C1' }),
      context: fc.record({
        purpose: mostly(fc.constantFrom(...(settings['purposes'] as string[]))),
        tier: fc.oneof(
          { weight: 5, arbitrary: fc.constant(null as unknown) },
          junk,
          fc.integer({ min: 0, max: 4 }),
        ),
        recipient: mostly(outside ? fc.constant(organization) : recipient),
        justification: fc.oneof(fc.constant('a good reason'), junk),
        time: fc.constant('2026-11-22T08:00:00Z'),
        grants: mostly(
          fc.array(
            fc.record({
              id: fc.string(),
              categories: fc.array(category),
              until: fc.constant('2027-01-01T00:00:00Z'),
            }),
            {
              maxLength: 2,
            },
          ),
        ),
      }),
      data_subject: fc.record({
        consents: mostly(fc.array(consent, { maxLength: 4 })),
        flags: mostly(fc.subarray(Object.keys(data['flags']!), { maxLength: 1 })),
      }),
    }),
  );
};
const request = fc.constantFrom(...Object.keys(data['roles']!)).chain(requestOf);

/** as the policy ranks them, from mild to strict */
const STRICTNESS = [
  'disclose',
  'encrypt',
  'scrub',
  'generalize',
  'mask',
  'tokenize',
  'pseudonymize',
  'nullify',
  'drop',
];
const agentNames = Object.keys(data['agents']!);
/** Members of a person's request, and an agent that may act for all of it, for some, or is none. */
const agent = mostly(
  fc.record({
    id: fc.constantFrom('everything', 'everything', 'some', ...agentNames),
    issuer: fc.constant('https://idp.example'),
  }),
);
const ceilings = {
  everything: {
    purposes: Object.keys(data['purposes']!),
    actions: ['read', 'search', 'export', 'create', 'update', 'delete'],
    tiers: [1, 2, 3],
    categories,
    max_grade: 5,
    max_records: 1_000_000,
  },
  some: {
    purposes: Object.keys(data['purposes']!),
    actions: ['read', 'search', 'update'],
    tiers: [2],
    categories: categories.filter((_, i) => i % 2 === 0),
    max_grade: 3,
    max_records: 10,
  },
};

/** About customers who are to be deleted, by those who may see what is held of them. */
const underErasure = fc
  .tuple(
    fc.constantFrom('auditor', 'dpo').chain(requestOf),
    fc.constantFrom('erasure_pending', 'erased'),
    fc.constantFrom(...categories.map((name) => `held:${name}`)),
  )
  .map(([asked, ...flags]) => ({ ...asked, data_subject: { consents: [], flags } }));

const EACH =
  '[{"asked": i, "decision": d, "disclosure": s} | some i in data.asked; d := data.sluice.decision with input as i; s := data.sluice.disclosure with input as i]';

interface Answered {
  readonly asked: {
    readonly context: { purpose: string; recipient: string };
    readonly data_subject: {
      consents: { status: string; purpose: string; recipient: string; explicit: unknown }[];
      flags: string[];
    };
  };
  readonly decision: {
    readonly allow: boolean;
    readonly tier: number | null;
    readonly reasons: { code: string }[];
    readonly obligations: { max_records: number; review: boolean };
  };
  readonly disclosure: {
    readonly disclose: boolean;
    readonly reasons: { code: string }[];
    readonly classes: { [cls: string]: { do: string; because: string } };
    readonly fields: { [pointer: string]: { do: string; because: string } };
  };
}

describe.runIf(existsSync(OPA))('the default policy', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-promises-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const inputs: readonly unknown[] = [
    ...fc.sample(request, { numRuns: 700, seed: 20261122 }),
    ...fc.sample(underErasure, { numRuns: 100, seed: 20261122 }),
  ];
  let answers: Answered[] = [];

  test('answers every request', () => {
    const file = join(scratch, 'asked.json');
    writeFileSync(file, JSON.stringify({ asked: inputs, classes: { customer: classes } }));
    const out = execFileSync(
      OPA,
      ['eval', '-f', 'json', '-d', 'policies/sluice', '-d', 'policies/data', '-d', file, EACH],
      {
        encoding: 'utf8',
        maxBuffer: 256 * 1024 * 1024,
      },
    );
    answers = JSON.parse(out).result[0].expressions[0].value;
    expect(answers.length).toBe(inputs.length);
  });

  test('is asked things that it allows, denies, discloses and withholds', () => {
    const count = (p: (a: Answered) => boolean) => answers.filter(p).length;
    expect(count((a) => a.decision.allow)).toBeGreaterThan(50);
    expect(count((a) => !a.decision.allow)).toBeGreaterThan(50);
    expect(count((a) => a.disclosure.disclose)).toBeGreaterThan(30);
    expect(count((a) => a.decision.allow && !a.disclosure.disclose)).toBeGreaterThan(10);
  });

  test('gives a reason for every denial and every record withheld', () => {
    for (const a of answers) {
      expect(a.decision.reasons.length).toBeGreaterThan(0);
      if (!a.disclosure.disclose) expect(a.disclosure.reasons.length).toBeGreaterThan(0);
    }
  });

  test('discloses nothing of a request that it denies', () => {
    for (const a of answers.filter((x) => !x.decision.allow)) {
      expect(a.disclosure).toMatchObject({ disclose: false, classes: {}, fields: {} });
      expect(a.decision.obligations.max_records).toBe(0);
    }
  });

  test('drops every secret', () => {
    for (const a of answers)
      for (const [cls, choice] of Object.entries(a.disclosure.classes))
        if (cls.endsWith('/5') || cls.startsWith('credential/')) expect(choice.do).toBe('drop');
  });

  test('names every class, each with a reason, where it discloses', () => {
    for (const a of answers.filter((x) => x.disclosure.disclose)) {
      expect(Object.keys(a.disclosure.classes).length).toBe(classes.length);
      for (const choice of Object.values(a.disclosure.classes))
        expect(choice.because).toMatch(/^[a-z][a-z0-9_]*$/);
    }
  });

  test('gives a partner the whole of a class or nothing, and nothing without explicit consent', () => {
    for (const a of answers.filter(
      (x) => x.disclosure.disclose && x.asked.context.recipient !== 'internal',
    )) {
      for (const choice of [...Object.values(a.disclosure.classes), ...Object.values(a.disclosure.fields)])
        expect(['disclose', 'drop']).toContain(choice.do);
      if (data['purposes']![a.asked.context.purpose]!['consent'] === 'waived') continue;
      expect(
        a.asked.data_subject.consents.some(
          (c) =>
            c.status === 'given' &&
            c.explicit === true &&
            c.purpose === a.asked.context.purpose &&
            c.recipient === a.asked.context.recipient,
        ),
      ).toBe(true);
    }
  });

  test('shows of a customer who is to be deleted what is held, to those who may see that, and nothing else', () => {
    let shown = 0;
    for (const { asked, disclosure } of answers.filter((x) => x.disclosure.disclose)) {
      const { flags } = asked.data_subject;
      const erased = flags.find((flag) => flag === 'erasure_pending' || flag === 'erased');
      if (erased === undefined) continue;
      const { except = [], held_for = [] } = data['flags']![erased] as Record<string, string[]>;
      if (except.includes(asked.context.purpose)) continue;
      expect(held_for).toContain(asked.context.purpose);
      for (const [cls, choice] of Object.entries(disclosure.classes))
        if (!flags.includes(`held:${cls.split('/')[0]}`)) expect(choice.do).toBe('drop');
      for (const choice of Object.values(disclosure.fields)) expect(choice.do).toBe('drop');
      shown++;
    }
    expect(shown).toBeGreaterThan(0);
  });

  test('reviews every emergency, and shows no transaction or contact in it', () => {
    for (const a of answers.filter((x) => x.decision.allow && x.decision.tier === 1)) {
      expect(a.decision.obligations.review).toBe(true);
      for (const [cls, choice] of Object.entries(a.disclosure.classes))
        if (!/^(identity|emergency_contact|reference)\/[123]$/.test(cls))
          expect(choice.do).not.toBe('disclose');
    }
  });

  test('discloses nothing but preferences undisguised in research', () => {
    for (const a of answers.filter((x) => x.decision.allow && x.decision.tier === 3))
      for (const [cls, choice] of Object.entries(a.disclosure.classes))
        if (choice.do === 'disclose') expect(cls).toMatch(/^preference\/[12]$/);
  });

  test('gives an agent no more than its person, and no more than its ceiling', () => {
    const asked = fc.sample(fc.tuple(request, agent), { numRuns: 700, seed: 20261201 });
    const file = join(scratch, 'agents.json');
    writeFileSync(
      file,
      JSON.stringify({
        asked: asked.flatMap(([person, by]) => [
          person,
          { ...person, context: { ...person.context, agent: by } },
        ]),
        classes: { customer: classes },
        agents: ceilings,
      }),
    );
    const out = execFileSync(
      OPA,
      ['eval', '-f', 'json', '-d', 'policies/sluice', '-d', 'policies/data', '-d', file, EACH],
      { encoding: 'utf8', maxBuffer: 512 * 1024 * 1024 },
    );
    const all = JSON.parse(out).result[0].expressions[0].value as Answered[];
    expect(all.length).toBe(2 * asked.length);
    const seen = { allowed: 0, refused: 0, disclosed: 0, narrowed: 0 };
    for (const [i, [{ action }, by]] of asked.entries()) {
      const [person, acting] = [all[2 * i]!, all[2 * i + 1]!];
      if (acting.decision.allow) expect(person.decision.allow).toBe(true);
      expect(acting.decision.obligations.max_records).toBeLessThanOrEqual(
        person.decision.obligations.max_records,
      );
      if (acting.decision.allow) seen.allowed++;
      else if (person.decision.allow) {
        seen.refused++;
        expect(acting.decision.reasons.some(({ code }) => code.startsWith('agent_'))).toBe(true);
      }
      if (!acting.disclosure.disclose) continue;
      seen.disclosed++;
      expect(person.disclosure.disclose).toBe(true);
      const ceiling = ceilings[(by as { id?: string } | null)?.id as keyof typeof ceilings];
      for (const kind of ['classes', 'fields'] as const)
        for (const [at, choice] of Object.entries(acting.disclosure[kind])) {
          const alone = person.disclosure[kind][at];
          expect(STRICTNESS.indexOf(choice.do)).toBeGreaterThanOrEqual(
            STRICTNESS.indexOf(alone?.do ?? 'drop'),
          );
          if (choice.do !== alone?.do) seen.narrowed++;
        }
      // What the person's answer drops by a field, the agent's drops too.
      for (const at of Object.keys(person.disclosure.fields))
        expect(Object.keys(acting.disclosure.fields)).toContain(at);
      if (ceiling === undefined) continue;
      expect(ceiling.actions).toContain(action.name);
      for (const [cls, choice] of Object.entries(acting.disclosure.classes)) {
        const [category, grade] = cls.split('/');
        if (!ceiling.categories.includes(category!) || Number(grade) > ceiling.max_grade)
          expect(choice.do).toBe('drop');
      }
    }
    for (const [what, count] of Object.entries(seen))
      expect({ what, enough: count > 5 }).toEqual({ what, enough: true });
  });
});
