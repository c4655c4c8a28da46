/** `sluice matrix`: the default policy in copies that each test changes in its way, asked field by field. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Copy, copies, ONE, opa, OWN, type Said, sluice } from './support.ts';

// Each command compiles a policy, some ask it thousands of questions, and tests share the machine.
vi.setConfig({ testTimeout: 180_000 });

const copy = copies();

interface Matrix {
  readonly callers: string;
  readonly rows: readonly {
    role: string;
    purpose: string;
    tier: number | null;
    states: Record<string, Record<string, { do: string; because: string; cls: string; with?: object }>>;
    writes: { may: Record<string, { write: boolean; because: string }> } | null;
  }[];
  readonly denied: readonly { role: string; purpose: string; reasons: string[] }[];
}

interface Sentence {
  readonly direction: 'wider' | 'narrower' | 'other' | 'reason';
  readonly about: string;
  readonly fields: readonly string[];
  readonly roles: readonly string[];
  readonly before: string;
  readonly after: string;
  readonly text: string;
  readonly when: readonly Record<string, readonly string[]>[];
}
interface Diff {
  readonly changes: readonly Sentence[];
  readonly catalogs: readonly {
    pointer: string | null;
    what: string;
    before: string | null;
    after: string | null;
    wider: boolean;
  }[];
  readonly sources: readonly { at: string; before: string | null; after: string | null }[];
  readonly not_covered: readonly string[];
}

describe.runIf(opa !== null)('sluice matrix', () => {
  test('says what a role gets of each field in every state of consent, and what is refused', async () => {
    const asked = ['--role', 'support', '--resource', 'customer', '--recipient', 'internal'];
    const { rows, denied, callers } = (
      await sluice(['matrix', 'policies', ...asked, '--json'])
    ).json<Matrix>();
    const row = rows.find((r) => r.purpose === 'after_sales');
    expect(row?.tier).toBe(2);
    expect(row?.states['none']?.['/phone']).toMatchObject({
      do: 'disclose',
      because: 'tier_2',
      cls: 'contact/3',
    });
    expect(row?.states['opt_out']?.['/phone']).toMatchObject({
      do: 'mask',
      because: 'opted_out',
      with: { kind: 'phone' },
    });
    expect(row?.states['withdrew_all']?.['/phone']?.do).toBe('withheld');
    // an embedded resource is asked about where it stands
    expect(row?.states['none']?.['/agent/phone']?.cls).toBe('contact/3');
    expect(row?.writes?.may['/vip']).toEqual({ write: false, because: 'write_never' });
    expect(denied.find((d) => d.purpose === 'marketing')?.reasons).toEqual(['purpose_not_allowed']);
    expect(callers).toContain('justification “review of the policy”');
  });

  test.each([80, 120])(
    'a class is one line while its fields agree, and %i columns are enough',
    async (width) => {
      process.env['COLUMNS'] = String(width);
      try {
        const { out } = await sluice(['matrix', 'policies', ...ONE]);
        const lines = out.split('\n');
        expect(Math.max(...lines.filter((l) => /^[│┌├└]/.test(l)).map((l) => l.length))).toBeLessThanOrEqual(
          width,
        );
        expect(lines.filter((l) => l.includes('/phone'))).toEqual([]);
        expect(out).toMatch(/│ identity\/3 \(3\)/);
        expect(out).toMatch(/│ transaction\/2 \(\d+\/\d+\)/);
        expect(out).toMatch(/│ {3}\/vip /);
        for (const state of ['agreed_tacitly', 'erasure_pending']) expect(out).toContain(state);
        expect(out).toContain('with the justification “review of the policy”');
      } finally {
        delete process.env['COLUMNS'];
      }
    },
  );

  test('a caller who writes nothing has no column for it', async () => {
    const asked = ['--role', 'marketer', '--purpose', 'marketing', '--recipient', 'internal'];
    const said = await sluice(['matrix', 'policies', ...asked]);
    expect([said.code, said.err]).toEqual([0, '']);
    expect(said.out).toMatch(/^customer: marketer · marketing/);
    expect(said.out).not.toMatch(/update|create/);
  });

  test('works for a policy of another make, as table, CSV and HTML without script or links elsewhere', async () => {
    const p = copy(OWN);
    const table = await sluice(['matrix', p.dir, '--html', p.path('m.html')]);
    expect(table.code).toBe(0);
    const html = readFileSync(p.path('m.html'), 'utf8');
    expect(html).toContain('Disclosure matrix');
    expect(html).toContain('/phone');
    expect(html).not.toMatch(/<script|https?:\/\/|<link|@import/);
    const csv = (await sluice(['matrix', p.dir, '--csv'])).out.split('\r\n');
    expect(csv[0]).toBe(
      'resource,role,purpose,tier,recipient,action,state,field,class,treatment,because,parameters',
    );
    expect(
      csv.some((l) =>
        l.startsWith(
          'customer,support,after_sales,,internal,read,none,/phone,contact/3,mask,consent_missing,',
        ),
      ),
    ).toBe(true);
  });

  test('each period of retention has a column, in which what is over is dropped and nothing else differs', async () => {
    const p = copy();
    p.write(
      'data/retention.yaml',
      `retention:
  t: { title: t, categories: [transaction], resources: [customer], keep: P7Y }
  c: { title: c, categories: [contact], resources: [customer], keep: P5Y }
`,
    );
    const { rows } = (await sluice(['matrix', p.dir, ...ONE, '--json'])).json<Matrix>();
    const [row] = rows;
    const fresh = row!.states['agreed']!;
    for (const [name, over] of [
      ['older_than_P5Y', ['contact']],
      ['older_than_P7Y', ['contact', 'transaction']],
    ] as const) {
      const aged = row!.states[name]!;
      expect(Object.keys(aged)).toEqual(Object.keys(fresh));
      for (const [path, outcome] of Object.entries(aged)) {
        const category = fresh[path]!.cls.split('/')[0]!;
        // What an embedded resource says is not the customer's, and has no date of its own.
        const isOver = (over as readonly string[]).includes(category) && !path.startsWith('/agent/');
        expect([name, path, outcome.do, outcome.because]).toEqual(
          isOver
            ? [name, path, 'drop', 'retention_over']
            : [name, path, fresh[path]!.do, fresh[path]!.because],
        );
      }
    }
  });

  test('--diff with one policy and a tier of 4 are wrong use', async () => {
    expect((await sluice(['matrix', '--diff', OWN])).code).toBe(2);
    expect((await sluice(['matrix', OWN, '--tier', '4'])).code).toBe(2);
  });
});

describe.runIf(opa !== null)('sluice matrix --diff', () => {
  const diff = async (p: Copy, ...args: string[]): Promise<Diff & { said: Said }> => {
    const said = await sluice(['matrix', '--diff', live, p.dir, '--json', '--exit-code', ...args]);
    return { ...said.json<Diff>(), said };
  };
  // compiled once
  const live = join(mkdtempSync(join(tmpdir(), 'sluice-live-')), 'live.tar.gz');
  beforeAll(async () => {
    expect((await sluice(['build', 'policies', '-o', live])).code).toBe(0);
  });
  afterAll(() => rmSync(dirname(live), { recursive: true, force: true }));
  const CATALOG = 'catalog/customer.yaml';
  const PHONE = '/phone: { category: contact, grade: 3, mask: phone }\n  /email';

  /** One clearance instead of all six: a sixth of the questions, where the change is about none. */
  const CLEARED = ['--clearance', '5'];

  /** what is changed, who asks, and the sentence that must be among those said */
  const CHANGES: readonly [string, [string, string | RegExp, string][], string[], Partial<Sentence>][] = [
    [
      'a field moves to a wider class',
      [[CATALOG, PHONE, '/phone: { category: reference, grade: 1 }\n  /email']],
      ONE,
      { direction: 'wider', fields: ['/phone'], after: 'in clear' },
    ],
    [
      'a field moves to a lower grade',
      [[CATALOG, '/id_number: { category: identity, grade: 4', '/id_number: { category: identity, grade: 3']],
      ['--role', 'adjuster', '--purpose', 'claims', '--resource', 'customer', '--recipient', 'internal'],
      { direction: 'wider', fields: ['/id_number'], after: 'in clear' },
    ],
    [
      'the kind of a mask changes',
      [[CATALOG, 'mask: bank_card', 'mask: { kind: generic, keep_last: 4 }']],
      ONE,
      {
        direction: 'other',
        fields: ['/bank_card'],
        before: 'masked as bank_card',
        after: 'masked as generic, keep_last 4',
      },
    ],
    [
      'a field is new',
      [[CATALOG, '  /bank_card:', '  /nickname: { category: transaction, grade: 2 }\n  /bank_card:']],
      ONE,
      { direction: 'wider', fields: ['/nickname'], before: 'withheld', after: 'in clear' },
    ],
    [
      'a field is gone',
      [[CATALOG, /^ {2}\/email:.*\n/m, '']],
      ONE,
      { direction: 'narrower', fields: ['/email'], before: 'in clear or masked', after: 'withheld' },
    ],
    [
      'a field of an embedded resource moves to another class',
      [
        [
          'catalog/employee.yaml',
          '/id_number: { category: identity, grade: 4',
          '/id_number: { category: staff, grade: 1',
        ],
      ],
      ONE,
      { direction: 'wider', fields: ['/agent/id_number'], after: 'in clear' },
    ],
    [
      'a resource is no longer embedded',
      [[CATALOG, /^ {2}\/agent:.*\n/m, '']],
      ONE,
      {
        direction: 'narrower',
        fields: expect.arrayContaining(['/agent/name']) as unknown as string[],
        after: 'withheld',
      },
    ],
    [
      'a role may act for one more purpose',
      [['data/roles.yaml', 'purposes: [claims, emergency]', 'purposes: [claims, emergency, after_sales]']],
      ['--role', 'adjuster', '--purpose', 'after_sales', '--resource', 'customer'],
      {
        direction: 'wider',
        about: 'request',
        text: 'adjuster may now read, search and update customer for after_sales (before: purpose_not_allowed)',
      },
    ],
    [
      'a role may act for one purpose less',
      [['data/roles.yaml', 'purposes: [claims, emergency]', 'purposes: [claims]']],
      ['--role', 'adjuster', '--purpose', 'emergency', '--resource', 'customer'],
      {
        direction: 'narrower',
        about: 'request',
        text: 'adjuster may no longer read and search customer for emergency (purpose_not_allowed)',
      },
    ],
    [
      'more records are allowed',
      [['data/roles.yaml', /( {2}support:[\s\S]*?)max_records: 100/, '$1max_records: 150']],
      ONE,
      { direction: 'wider', about: 'limit', fields: ['max_records'], before: '100', after: '150' },
    ],
    [
      'groups may be smaller',
      [['data/tiers.yaml', /min_group_size: \d+/, 'min_group_size: 2']],
      ['--role', 'analyst', '--purpose', 'market_research', '--resource', 'customer'],
      { direction: 'wider', about: 'limit', fields: ['min_group_size'], after: '2' },
    ],
    [
      'a field may be written that nobody could write',
      [
        [
          CATALOG,
          '/vip: { category: transaction, grade: 2, write: never,',
          '/vip: { category: transaction, grade: 2,',
        ],
      ],
      ONE,
      { direction: 'wider', about: 'write', fields: ['/vip'] },
    ],
    [
      'a role is opened to another department',
      [
        [
          'data/roles.yaml',
          'departments: [after-sales, customer-service]',
          'departments: [after-sales, customer-service, marketing]',
        ],
      ],
      ONE,
      {
        direction: 'wider',
        about: 'request',
        when: [{ department: ['marketing'] }],
      },
    ],
    [
      'an objection no longer counts',
      [['data/flags.yaml', 'withholds: notice', 'withholds: nothing']],
      ONE,
      {
        direction: 'wider',
        fields: expect.arrayContaining(['/phone']) as unknown as string[],
        after: 'in clear',
      },
    ],
  ];

  test.each([
    [
      'data/retention.yaml',
      'retention:\n  t: { title: t, categories: [transaction], resources: [customer], keep: P7Y }\n',
      'retention',
    ],
    [
      'data/record_filters.yaml',
      'record_filters:\n  a: { title: a, where: [{ resource: customer, attribute: dated, within: P6M }] }\n',
      'record_filter',
    ],
  ])('%s leaves less where it is new, and more where it is gone', async (file, text, name) => {
    const p = copy();
    p.write(file, text);
    const limit = (changes: readonly Sentence[]) => changes.find(({ fields }) => fields.includes(name));
    const { changes } = await diff(p, ...ONE);
    expect(limit(changes)).toMatchObject({ direction: 'narrower', about: 'limit' });
    const back = await sluice(['matrix', '--diff', p.dir, live, '--json', ...ONE]);
    expect(limit(back.json<Diff>().changes)).toMatchObject({ direction: 'wider', about: 'limit' });
  });

  const claims = [
    '--role',
    'adjuster',
    '--purpose',
    'claims',
    '--resource',
    'customer',
    '--recipient',
    'internal',
  ];
  const emergency = [
    '--role',
    'adjuster',
    '--purpose',
    'emergency',
    '--resource',
    'customer',
    '--recipient',
    'internal',
  ];

  /** who asks otherwise than the data say callers do, in one thing, and gets through all the same */
  const OTHERWISE: readonly [string, [string, string | RegExp, string], string[], Partial<Sentence>][] = [
    [
      'a purpose needs no second factor',
      ['data/purposes.yaml', /( {2}claims:[\s\S]*?mfa: )true/, '$1false'],
      [...claims, ...CLEARED],
      { about: 'request', when: [{ factor: ['pwd'] }] },
    ],
    [
      'a purpose needs no justification',
      ['data/purposes.yaml', /( {2}emergency:[\s\S]*?justification: )required/, '$1optional'],
      [...emergency, ...CLEARED],
      { about: 'request', when: [{ justification: ['none'] }] },
    ],
    [
      'callers without a stated clearance are cleared for more',
      ['data/grades.yaml', 'unstated: 2', 'unstated: 4'],
      claims,
      {
        about: 'field',
        after: 'in clear',
        when: [expect.objectContaining({ clearance: ['none'] })] as never,
      },
    ],
    [
      'rules do not look at the department',
      [
        'sluice/subject/subject.rego',
        'default _is_in_department(_, _) := false',
        '_is_in_department(_, null) := true\n\ndefault _is_in_department(_, _) := true',
      ],
      [...ONE, ...CLEARED],
      { about: 'request', when: [{ department: ['another'] }] },
    ],
    [
      'rules do not look at the kind of caller',
      [
        'sluice/subject/subject.rego',
        '"subject_type_not_allowed": asked.type in role.subject_types',
        '"subject_type_not_allowed": is_string(asked.type)',
      ],
      [...ONE, ...CLEARED],
      { about: 'request', when: [{ kind: ['service', 'partner'] }] },
    ],
    [
      'staff of a partner may ask for what is internal',
      [
        'sluice/subject/subject.rego',
        '\tasked.organization == "internal"\n\tasked.recipient == "internal"',
        '\tasked.recipient == "internal"',
      ],
      [...ONE, ...CLEARED],
      {
        about: 'request',
        when: [expect.objectContaining({ organization: expect.arrayContaining(['city_clinic']) })] as never,
      },
    ],
    [
      'a withdrawal for one category leaves the others',
      ['data/purposes.yaml', /( {2}marketing:[\s\S]*?on_refusal: )withhold_record/, '$1withhold_fields'],
      ['--role', 'marketer', '--purpose', 'marketing', '--resource', 'customer', '--recipient', 'internal'],
      { about: 'field', fields: ['/id'], when: [{ state: ['withdrew_one'] }] },
    ],
  ];

  test.each(OTHERWISE)('%s: the sentence names for whom', async (_what, [file, from, to], asked, wanted) => {
    const p = copy();
    p.change(file, from, to);
    const { changes } = await diff(p, ...asked);
    expect(changes).toEqual(
      expect.arrayContaining([expect.objectContaining({ direction: 'wider', ...wanted })]),
    );
  });

  test.each([
    ['data/grants.yaml', 'lifts:\n', 'lifts:\n    opted_out: true\n', 'grants.lifts.opted_out'],
    ['data/assurance.yaml', 'amr: { mfa', 'amr: { sms: true, mfa', 'assurance.amr.sms'],
    ['data/partners.yaml', 'title: Swift', 'title: Swifter', 'partners.swift_logistics.title'],
    [
      'sluice/decision.rego',
      '# title: What the decision demands besides',
      '# title: Nobody decides about himself\ndenials contains {"code": "himself", "message": "-"} if input.resource.id == "C1"\n\n# METADATA\n# title: What the decision demands besides',
      'sluice/decision.rego',
    ],
  ])('%s: what no answer shows is named, and is a change', async (file, from, to, at) => {
    const p = copy();
    p.change(file, from, to);
    const { changes, sources, said } = await diff(p, ...ONE, ...CLEARED);
    expect([changes, sources.map((s) => s.at), said.code]).toEqual([[], [at], 1]);
    const { out } = await sluice(['matrix', '--diff', live, p.dir, ...ONE, ...CLEARED]);
    expect(out).toMatch(/^No answer that was asked for changes, but the data or rules do \(below\)/);
    expect(out).toContain(`In the data and rules\n  ${at}: `);
  });

  test.each(CHANGES)('%s: the sentence names the field', async (_what, edits, asked, wanted) => {
    const p = copy();
    for (const [file, from, to] of edits) p.change(file, from, to);
    const { changes, said } = await diff(p, ...asked, ...CLEARED);
    expect(said.code).toBe(1);
    expect(changes).toEqual(expect.arrayContaining([expect.objectContaining(wanted)]));
  });

  test.each([
    [
      'an object is covered',
      [
        CATALOG,
        '/notes: { category: free_text, grade: 3,',
        '/notes: { category: free_text, grade: 3, whole: true,',
      ],
      '/notes',
      'whole',
      true,
    ],
    [
      'a total is told',
      [CATALOG, '/page: { is: status }', '/page: { is: status }\n  /next: { is: status }'],
      '/next',
      'envelope',
      true,
    ],
    [
      'a field is no longer counted for groups',
      [
        CATALOG,
        '/gender: { category: identity, grade: 3, quasi_identifier: true }',
        '/gender: { category: identity, grade: 3 }',
      ],
      '/gender',
      'quasi_identifier',
      true,
    ],
    ['a record is somebody else’s', [CATALOG, 'at: /id,', 'at: /agent/id,'], null, 'data_subject', true],
    ['the policy looks at another member', [CATALOG, 'vip: /vip,', 'vip: /notes,'], null, 'attributes', true],
  ] as const)(
    '%s: no answer shows it, and the line of the catalog is named',
    async (_what, [file, from, to], pointer, what, wider) => {
      const p = copy();
      p.change(file, from, to);
      const { catalogs, said } = await diff(p, ...ONE, ...CLEARED);
      expect(said.code).toBe(1);
      expect(catalogs).toEqual([expect.objectContaining({ pointer, what, wider })]);
    },
  );

  test('who sees more stands first, in sentences, and what was not covered stands last', async () => {
    const p = copy();
    p.change(CATALOG, PHONE, '/phone: { category: reference, grade: 1 }\n  /email');
    const { out } = await sluice(['matrix', '--diff', 'policies', p.dir, ...ONE, ...CLEARED]);
    const [first = '', ...others] = out.split('\n');
    expect(first).toContain('1 role sees or may do more than before');
    expect(others.slice(0, 3)).toContain('  customer, in clear: /phone ← support');
    expect(out).toContain('support now sees /phone of customer in clear for after_sales (before: masked)');
    expect(out).toContain('data subject withdrew_one, withdrew, opt_out');
    expect(out).toContain('customer /phone: contact/3 → reference/1');
    const last = out.slice(out.indexOf('Not covered'));
    for (const named of [
      'justification: “review of the policy”, or none, only',
      'grants: none',
      'time: ',
      'callers with several roles',
    ])
      expect(last).toContain(named);
  });

  test('a field that is given without consent says so', async () => {
    const p = copy();
    p.change('data/purposes.yaml', /( {2}marketing:[\s\S]*?consent: )explicit/, '$1by_grade');
    const asked = [
      '--role',
      'marketer',
      '--purpose',
      'marketing',
      '--recipient',
      'internal',
      '--resource',
      'customer',
      ...CLEARED,
    ];
    const { changes } = await diff(p, ...asked);
    expect(changes.map(({ text }) => text)).toEqual(
      expect.arrayContaining([expect.stringMatching(/ in clear for marketing without explicit consent /)]),
    );
  });

  test('asks the policy and does not read its data: a rule that is wider than the data is shown', async () => {
    const p = copy();
    p.change(
      'sluice/treatment/treatment.rego',
      'default _role(_) := [8, 60, {"do": "drop", "because": "category_not_for_role"}]',
      'default _role(_) := [0, 0, {"do": "disclose", "because": "permitted"}]',
    );
    const { changes } = await diff(
      p,
      '--role',
      'marketer',
      '--purpose',
      'marketing',
      '--recipient',
      'internal',
      ...CLEARED,
    );
    expect(changes.some((c) => c.direction === 'wider' && c.about === 'field')).toBe(true);
  });

  test('an attribute of records that rules read is named as not covered', async () => {
    const p = copy();
    p.change(
      'sluice/disclosure.rego',
      'default may_leave := false',
      'withholdings contains {"code": "vip"} if input.record.attributes.vip == "never"\n\ndefault may_leave := false',
    );
    const { not_covered } = await diff(p, ...ONE, ...CLEARED);
    expect(not_covered).toContain('attributes of records (vip): asked without any');
  });

  test('of the same policy twice nothing changes, and what was not covered is told all the same', async () => {
    const said = await sluice(['matrix', '--diff', OWN, OWN, '--exit-code']);
    expect(said.out).toMatch(
      /^Nothing changes: \d+ fields were compared in \d+ decisions; catalogs, data and rules are the same\.\n/,
    );
    expect(said.out).toContain('Not covered');
    expect(said.code).toBe(0);
  });

  test('is one HTML file without script or links elsewhere', async () => {
    const p = copy(OWN);
    p.change('catalog/customer.yaml', /(\/phone: \{ category: )contact, grade: 3/, '$1reference, grade: 1');
    await sluice(['matrix', '--diff', OWN, p.dir, '--html', p.path('d.html')]);
    const html = readFileSync(p.path('d.html'), 'utf8');
    expect(html).toContain('now sees /phone of customer');
    expect(html).toContain('Not covered');
    expect(html).not.toMatch(/<script|https?:\/\/|<link|@import/);
  });
});
