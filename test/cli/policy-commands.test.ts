/** The commands of those who write policies, run in process on copies of the default policy that each test spoils in its way. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { Copy, copies, lineOf, opa, OWN, ROOT, type Said, sluice } from './support.ts';

// Each command compiles a policy, some ask it ten thousand questions, and tests share the machine.
vi.setConfig({ testTimeout: 180_000 });

const PATIENT = 'resource: patient\ndata_subject: /no\nfields:\n  /no: { category: reference, grade: 1 }\n';
const copy = copies();
/** the default policy, where a test is about none of its scenarios: reading them takes most of the time of a check */
const withoutScenarios = (): Copy => {
  const p = copy();
  rmSync(p.path('scenarios'), { recursive: true });
  return p;
};

interface Checked {
  readonly ok: boolean;
  readonly findings: readonly {
    severity: string;
    rule: string;
    file?: string;
    line?: number;
    message: string;
  }[];
}

/** without the note on the default policy's example of an agreement that has ended */
const told = (said: Said): Checked['findings'] =>
  said.json<Checked>().findings.filter((f) => f.severity !== 'note');

describe.runIf(opa !== null)('sluice check', () => {
  test('the default policy has neither faults nor warnings', async () => {
    const said = await sluice(['check', 'policies', '--strict']);
    expect(said.out).toMatch(/^0 faults, 0 warnings, 1 note in \d+ files of rules/m);
    expect(said.code).toBe(0);
  });

  test('faults of every kind are told at once, each with its line', async () => {
    const p = copy();
    p.change(
      'data/roles.yaml',
      'purposes: [after_sales, order_processing]',
      'purposes: [after_sale, order_processing]',
    );
    p.change('data/tiers.yaml', 'max_grade: 3', 'max_grade: 9');
    p.change('data/quotas.yaml', 'roles: [marketer]', 'roles: [marketeer]\n    purposes: [marketng]');
    p.change('catalog/customer.yaml', 'mask: national_id }', 'mask: nationl_id }');
    p.change('catalog/employee.yaml', '/salary: { category: financial', '/salary: { category: finance');
    p.change('scenarios/grants.yaml', 'status: 200', 'status: 20');
    p.change('scenarios/record_filters.yaml', 'roles: [order_manager]', 'roles: [order_manger]');
    p.change(
      'sluice/decision.rego',
      'count(input.subject.properties.roles) > 0',
      'count(input.subjct.properties.roles) > 0',
    );
    const said = await sluice(['check', p.dir, '--json']);
    expect(said.code).toBe(1);
    const faults = said.json<Checked>().findings.filter((f) => f.severity === 'fault');
    const told = faults.map((f) => `${f.rule} ${f.file?.replace(`${p.dir}/`, '')}:${f.line} ${f.message}`);
    const at = (file: string, text: string): string => `${file}:${lineOf(p.path(file), text)}`;
    expect(told).toEqual(
      expect.arrayContaining([
        expect.stringContaining(
          `reference ${at('data/roles.yaml', 'after_sale,')} roles.support.purposes.0: there is no purpose "after_sale"; did you mean "after_sales"?`,
        ),
        expect.stringContaining(
          `reference ${at('data/quotas.yaml', 'marketeer')} quotas.marketing_daily.roles.0: there is no role "marketeer"; did you mean "marketer"?`,
        ),
        expect.stringContaining(
          `reference ${at('data/quotas.yaml', 'marketng')} quotas.marketing_daily.purposes.0: there is no purpose "marketng"; did you mean "marketing"?`,
        ),
        expect.stringContaining(`data ${at('data/tiers.yaml', 'max_grade: 9')}`),
        expect.stringContaining(`treatment ${at('catalog/customer.yaml', 'nationl_id')} /id_number: mask:`),
        expect.stringContaining(`reference ${at('catalog/employee.yaml', '/salary')}`),
        expect.stringContaining(
          `scenario ${at('scenarios/grants.yaml', 'status: 20 ')}`.trimEnd().replace(/:0$/, ''),
        ),
        expect.stringContaining(`strict ${at('sluice/decision.rego', 'input.subjct')}`),
        expect.stringContaining(
          `reference ${at('scenarios/record_filters.yaml', 'order_manger')} record_filters.own_region.roles.0: there is no role "order_manger"; did you mean "order_manager"?`,
        ),
      ]),
    );
  });

  test('scenarios know the names of the data that they bring, and those that these replace no more', async () => {
    const p = copy();
    const { purposes } = parse(readFileSync(p.path('data/purposes.yaml'), 'utf8')) as {
      purposes: Record<string, object>;
    };
    p.write(
      'scenarios/own.yaml',
      stringify({
        title: 'Purposes of its own',
        now: '2026-11-22T08:00:00Z',
        routes: [{ match: 'GET /api/customers/{id}', resource: 'customer', action: 'read', id: '{id}' }],
        data: { purposes: { recall: { ...purposes['after_sales'], needs: ['contacts'] } } },
        scenarios: ['recall', 'after_sales'].map((name) => ({
          name,
          request: { method: 'GET', path: '/api/customers/C1', headers: { 'Sluice-Purpose': name } },
          token: { sub: 'u-1', roles: ['support'], organization: 'internal' },
          expect: { status: 403 },
        })),
      }),
    );
    const { findings } = (await sluice(['check', p.dir, '--json'])).json<Checked>();
    const own = findings.filter(({ file }) => file === p.path('scenarios/own.yaml'));
    expect(own.map(({ rule, message }) => `${rule} ${message}`)).toEqual([
      expect.stringContaining('reference purposes.recall.needs.0: there is no category "contacts"'),
      expect.stringContaining('scenario there is no purpose "after_sales"'),
    ]);
  });

  test('a policy that does not compile is told with its place, and the data’s faults besides', async () => {
    const p = withoutScenarios();
    p.change('sluice/decision.rego', 'default allow := false', 'default allow := fals');
    p.change('data/grades.yaml', 'above_limit: mask', 'above_limit: msak');
    const { findings } = (await sluice(['check', p.dir, '--json'])).json<Checked>();
    expect(findings.map((f) => f.rule)).toEqual(expect.arrayContaining(['compile', 'data']));
    expect(findings.find((f) => f.rule === 'data')?.message).toContain('did you mean "mask"?');
  });

  test('a built-in whose answer cannot be replayed is refused, with what to do instead', async () => {
    const p = withoutScenarios();
    p.change(
      'sluice/decision.rego',
      'default _has_factor := false',
      'default _has_factor := false\n\n_fetched := http.send({"method": "get", "url": "http://127.0.0.1"})',
    );
    const { findings } = (await sluice(['check', p.dir, '--json'])).json<Checked>();
    expect(findings.find((f) => f.rule === 'builtin')?.message).toMatch(/_fetched calls http\.send.*Instead/);
  });

  test('a role, purpose or resource of which every request is denied is a warning', async () => {
    const p = withoutScenarios();
    p.change('data/roles.yaml', 'purposes: [marketing]', 'purposes: []');
    const said = await sluice(['check', p.dir, '--json']);
    expect(said.code).toBe(0);
    const warnings = told(said);
    expect(warnings.map((f) => [f.severity, f.message])).toEqual([
      ['warning', 'purpose "marketing": every request of every role is denied'],
      ['warning', 'role "marketer": every request is denied, with each purpose and each recipient'],
    ]);
    expect(warnings[1]?.line).toBe(lineOf(p.path('data/roles.yaml'), '  marketer:'));
    expect((await sluice(['check', p.dir, '--strict'])).code).toBe(1);
  });

  test('an obligation that nothing fulfils is a fault, with a request that it denies', async () => {
    const p = withoutScenarios();
    p.change(
      'sluice/decision.rego',
      '"step_up": _step_up,',
      '"step_up": _step_up,\n\t"min_groupsize": _odd,',
    );
    p.change(
      'sluice/decision.rego',
      'default _step_up := null',
      'default _odd := null\n\n_odd := 5 if input.action.name == "export"\n\ndefault _step_up := null',
    );
    const said = await sluice(['check', p.dir, '--json']);
    expect(said.code).toBe(1);
    const faults = told(said).filter((f) => f.severity === 'fault');
    expect(faults.map((f) => f.rule)).toEqual(['obligation']);
    expect(faults[0]?.message).toMatch(
      /^Nothing here fulfils the obligation "min_groupsize", so that \d+ kinds of request are denied that the rules allow, e\.g\. role .* export .*; did you mean "min_group_size"\?$/,
    );
  });

  test('single fields of a role that no catalog has, or of a category that does not exist, are faults', async () => {
    const p = withoutScenarios();
    const fields =
      '    fields: { customer: { /phon: never, /email: contakt/2, /phone: contact/6 }, costumer: {} }\n';
    p.change(
      'data/roles.yaml',
      '    max_grade: 4\n    max_records: 100\n',
      `${fields}    max_grade: 4\n    max_records: 100\n`,
    );
    const said = told(await sluice(['check', p.dir, '--json'])).map((f) => f.message);
    expect(said).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/no field of customer "\/phon"; did you mean "\/phone"/),
        expect.stringMatching(/no category "contakt"; did you mean "contact"/),
        expect.stringMatching(/no catalog of a resource "costumer"/),
      ]),
    );
    expect(said.some((message) => message.includes('/phone'))).toBe(true);
  });

  test('a resource that no role names is a warning that says where to name it', async () => {
    const p = withoutScenarios();
    p.write('catalog/patient.yaml', PATIENT);
    const findings = told(await sluice(['check', p.dir, '--json']));
    expect(findings.map((f) => f.message)).toEqual([
      'resource "patient": every request is denied; name the resource in the roles that may ask for it (data/roles.yaml)',
    ]);
  });

  test('a name that is not there is told with those that are, where they are few', async () => {
    const p = withoutScenarios();
    p.change('data/partners.yaml', '          customer:', '          patient:');
    const findings = told(await sluice(['check', p.dir, '--json']));
    expect(findings[0]?.message).toMatch(
      /there is no catalog of a resource "patient"; known: customer, employee$/,
    );
  });

  test('a class that no answer names is a warning at its first field', async () => {
    const p = copy(OWN);
    p.change(
      'sluice/disclosure.rego',
      /_classes\[entry\.class\] := \{"do": "mask"[^}]*\} if \{\n\tsome entry in data\.classes\[input\.resource\.type\]/,
      '$&\n\tentry.category != "contact"',
    );
    p.change(
      'sluice/disclosure.rego',
      '\tsome entry in data.classes[input.resource.type]\n\t_is_granted(entry)',
      '\tsome entry in data.classes[input.resource.type]\n\tentry.category != "contact"\n\t_is_granted(entry)',
    );
    const { findings } = (await sluice(['check', p.dir, '--json'])).json<Checked>();
    expect(findings.filter((f) => f.rule === 'coverage').map((f) => [f.line, f.message])).toEqual([
      [
        lineOf(p.path('catalog/customer.yaml'), '/phone'),
        expect.stringContaining('class contact/3: no answer of the policy names it'),
      ],
    ]);
  });

  test('claims of one’s own are not taken for a misspelled input', async () => {
    const p = copy(OWN);
    p.change(
      'sluice/decision.rego',
      'some role in input.subject.properties.roles',
      'some role in input.subject.properties.roles\n\tnot input.subject.properties.suspended',
    );
    const { findings } = (await sluice(['check', p.dir, '--json'])).json<Checked>();
    expect(findings.filter((f) => f.severity === 'fault')).toEqual([]);
  });

  test('a directory that is not there could not be checked: exit 3', async () => {
    expect((await sluice(['check', '/nowhere/at/all'])).code).toBe(3);
  });
});

describe.runIf(opa !== null)('sluice check --config', () => {
  const config = (p: Copy, routes: string): string => {
    p.write('../consents.yaml', 'version: 1\ndata_subjects: {}\n');
    p.write(
      '../sluice.yaml',
      `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: a, sha256: "${'0'.repeat(64)}", subject: { id: a, organization: internal } }] }
policy: { dir: ./policies }
consent: { file: ./consents.yaml }
routes:
${routes}
`,
    );
    return p.path('../sluice.yaml');
  };
  const placed = (): Copy => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-check-'));
    return new Copy(join(ROOT, 'policies'), join(dir, 'policies'));
  };

  test('looks at its policy, with its place: a field that is in no catalog is a fault, a write about nobody a warning', async () => {
    const p = placed();
    const file = config(
      p,
      `  - { match: "GET /c", upstream: crm, resource: customer, action: search, query_fields: { tel: /fone } }
  - { match: "PATCH /c/{id}", upstream: crm, resource: customer, action: update, id: "{id}" }`,
    );
    const said = await sluice(['check', '--config', file, '--json']);
    const { counts, warnings } = said.json<
      Checked & { counts: { routes: number; rules: number }; warnings: number }
    >();
    const findings = told(said);
    expect([said.code, warnings, counts.routes]).toEqual([1, 1, 2]);
    expect(counts.rules).toBeGreaterThan(5);
    expect(findings.map((f) => [f.severity, f.line, f.message.split(':')[0]])).toEqual([
      ['fault', 7, 'routes[0].query_fields.tel'],
      ['warning', 8, 'routes[1].action'],
    ]);
    expect((await sluice(['check', '--config', file, '--strict'])).code).toBe(1);
    rmSync(join(p.dir, '..'), { recursive: true });
  });

  test('warns of a sink that the policy names and the configuration does not have: misspelled, it gets everything', async () => {
    const p = placed();
    p.write(
      'data/sinks.yaml',
      'sinks: { syslog:siam: { erase: [/subject] }, stdout: { erase: [/subject] } }\n',
    );
    const file = config(
      p,
      '  - { match: "GET /c", upstream: crm, resource: customer, action: search }\ndecision_log: { sinks: [{ stdout: true }, { syslog: { name: siem, address: "localhost:6514" } }] }',
    );
    const said = await sluice(['check', '--config', file, '--json']);
    expect([said.code, told(said).map((f) => [f.severity, f.line, f.message])]).toEqual([
      0,
      [
        [
          'warning',
          8,
          expect.stringMatching(
            /^decision_log\.sinks: has no sink syslog:siam, .*did you mean "syslog:siem"/,
          ),
        ],
      ],
    ]);
    rmSync(join(p.dir, '..'), { recursive: true });
  });

  test('warns of a retention for a category that no catalog has', async () => {
    const p = placed();
    const file = config(
      p,
      '  - { match: "GET /c", upstream: crm, resource: customer, action: search }\ndecision_log: { retention: { keep: P5Y, categories: { contact: P1Y, contact/3: P2Y, contacts: P1Y } } }',
    );
    const said = await sluice(['check', '--config', file, '--json']);
    expect([said.code, told(said).map((f) => [f.severity, f.line, f.message])]).toEqual([
      0,
      [['warning', 8, expect.stringMatching(/no catalog has contacts, .*did you mean "contact"/)]],
    ]);
    rmSync(join(p.dir, '..'), { recursive: true });
  });

  test('warns of quotas that several workers without Redis do not count together', async () => {
    const p = placed();
    const file = config(
      p,
      '  - { match: "GET /c", upstream: crm, resource: customer, action: search }\nworkers: 2',
    );
    const said = await sluice(['check', '--config', file, '--json']);
    expect([said.code, told(said).map((f) => [f.severity, f.line, f.message])]).toEqual([
      0,
      [
        [
          'warning',
          8,
          expect.stringMatching(
            /^workers: the policy has quotas, and several workers .* set quotas\.redis, or workers: 1/,
          ),
        ],
      ],
    ]);
    p.write('data/quotas.yaml', 'quotas: {}\n');
    expect(told(await sluice(['check', '--config', file, '--json']))).toEqual([]);
    rmSync(join(p.dir, '..'), { recursive: true });
  });

  test('tells its faults, all at once; the policy cannot be found without it', async () => {
    const p = placed();
    const file = config(p, '  - { match: "GET /c", upstream: crn, resource: customer, action: look }');
    const said = await sluice(['check', '--config', file]);
    expect(said.code).toBe(1);
    expect(said.out).toMatch(
      /^[^\n]*sluice\.yaml:7:34: fault: routes\[0\]\.upstream: no upstream named "crn"/,
    );
    expect(said.out).toMatch(/\n2 faults, 0 warnings in the configuration; the policy was not looked at\n$/);
    rmSync(join(p.dir, '..'), { recursive: true });
  });
});

describe.runIf(opa !== null)('sluice test', () => {
  test('a scenario that fails says what was expected, what came and where it stands', async () => {
    const p = copy();
    p.change(
      'scenarios/support.yaml',
      '/name: 张**\n        /phone: "13812345678"',
      '/name: 张三丰\n        /phone: "13812345678"',
    );
    p.change(
      'scenarios/support.yaml',
      '/name: { do: mask, because: role_recognises }',
      '/name: { do: drop, because: consent_missing }',
    );
    const said = await sluice([
      'test',
      join(p.dir, 'scenarios/support.yaml'),
      '--policies',
      p.dir,
      '--filter',
      'sees transactions and contact',
    ]);
    expect(said.code).toBe(1);
    expect(said.out).toContain('member /name: "张三丰" expected, "张**" came');
    expect(said.out).toContain('withheld /name: drop (consent_missing) expected, mask (role_recognises)');
    expect(said.out).toMatch(/scenarios\/support\.yaml:\d+/);
    expect(said.out).toContain('1 failed');
  });

  test('results go to a JUnit file that names failures and escapes what XML cannot hold', async () => {
    const p = copy();
    p.change(
      'scenarios/support.yaml',
      'name: A support agent may correct a phone number',
      'name: "A <b>\\"quoted\\"</b> & odd name"',
    );
    p.change('scenarios/support.yaml', /(odd name"[\s\S]*?expect: \{ )status: 200/, '$1status: 418');
    const file = p.path('junit.xml');
    const said = await sluice([
      'test',
      join(p.dir, 'scenarios/support.yaml'),
      '--policies',
      p.dir,
      '--junit',
      file,
      '--filter',
      'odd name',
    ]);
    expect(said.code).toBe(1);
    const xml = readFileSync(file, 'utf8');
    expect(xml).toContain('name="A &lt;b&gt;&quot;quoted&quot;&lt;/b&gt; &amp; odd name"');
    expect(xml).toContain('<failure message="status: 418 expected, 200 came');
    expect(xml).toContain('tests="1" failures="1"');
  });

  test('a file with faults is refused with their places, and nothing is played', async () => {
    const p = copy();
    p.change('scenarios/grants.yaml', 'token: &strong', 'tokn: &strong');
    const said = await sluice(['test', join(p.dir, 'scenarios'), '--policies', p.dir]);
    expect(said.code).toBe(3);
    expect(said.err).toMatch(/scenarios\/grants\.yaml:\d+:\d+: .*unknown key "tokn"; did you mean "token"\?/);
  });

  test('unit tests of Rego run with their coverage; a thin one exits with 1', async () => {
    const full = await sluice(['test', OWN, '--coverage', '--threshold', '5', '--json']);
    const result = full.json<{
      passed: number;
      coverage: { percent: number; files: { missed: number[][] }[] }[];
    }>();
    expect(result.passed).toBe(1);
    expect(result.coverage[0]?.percent).toBeGreaterThan(5);
    expect(result.coverage[0]?.files.some((f) => f.missed.length > 0)).toBe(true);
    expect(full.code).toBe(0);
    expect((await sluice(['test', OWN, '--coverage', '--threshold', '99'])).code).toBe(1);
  });

  test('a filter that nothing has in its name is not a success', async () => {
    const said = await sluice(['test', 'test/cases', '--filter', 'no such scenario']);
    expect(said.code).toBe(1);
  });
});

describe.runIf(opa !== null)('sluice build and eval', () => {
  test('a bundle says its size, revision and what its entrypoints read, and can be asked', async () => {
    const p = copy(OWN);
    const file = p.path('b.tar.gz');
    const built = await sluice(['build', p.dir, '-o', file, '--revision', 'r-1', '--json']);
    expect(built.json<object>()).toMatchObject({
      revision: 'r-1',
      signed_by: null,
      entrypoints: { 'sluice/decision': { input: expect.arrayContaining(['input.context.purpose']) } },
    });
    const asked = await sluice(['eval', '--bundle', file, '-e', 'sluice/decision', '-i', '-', '--json'], {
      stdin: JSON.stringify({
        subject: { properties: { roles: ['support'] } },
        context: { purpose: 'after_sales', tier: 2 },
      }),
    });
    expect(asked.json<object>()).toMatchObject({
      defined: true,
      revision: 'r-1',
      result: { allow: true, tier: 2 },
    });
    expect(asked.code).toBe(0);
  });

  test('any rule of a directory can be asked, and print() is shown', async () => {
    const p = copy(OWN);
    p.write(
      'sluice/extra.rego',
      'package sluice\n\nextra := x if {\n\tx := input.n + 1\n\tprint("n is", input.n)\n}\n',
    );
    const said = await sluice(['eval', 'data.sluice.extra', '--policies', p.dir, '--input', '-'], {
      stdin: '{"n":41}',
    });
    expect(said.out).toBe('42\n');
    expect(said.err).toContain('print: n is 41');
  });

  test('an undefined rule exits with 1; input that is no JSON and a query that is no rule are wrong use', async () => {
    const p = copy(OWN);
    p.write('sluice/extra.rego', 'package sluice\n\nextra := 1 if input.absent\n');
    expect((await sluice(['eval', 'data.sluice.extra', '--policies', p.dir])).code).toBe(1);
    expect((await sluice(['eval', '--policies', p.dir, '-i', '-'], { stdin: '{' })).code).toBe(3);
    expect((await sluice(['eval', '1 +', '--policies', p.dir])).code).toBe(2);
  });
});

describe.runIf(opa !== null)('sluice explain', () => {
  interface Explained {
    readonly decision: { readonly allow: boolean; readonly reasons: readonly Placed[] };
    readonly states: readonly {
      readonly disclose: boolean;
      readonly fields: readonly (Placed & { field: string; class: string; do: string; because: string })[];
    }[];
    readonly uncatalogued: readonly string[];
    readonly not_whole: readonly string[];
  }
  interface Placed {
    readonly code?: string;
    readonly rule: { file: string; line: number; rule: string } | null;
    readonly data: readonly { file: string; line: number; path: string; value?: unknown }[];
  }
  const line = (file: string, text: string): number => lineOf(join(ROOT, file), text);

  test('names the rule and the line of data behind a field’s treatment', async () => {
    const said = await sluice(['explain', '--role', 'support', '--purpose', 'after_sales', '--json']);
    const fields = said.json<Explained>().states[0]!.fields;
    const of = (pointer: string) => fields.find((f) => f.field === pointer)!;
    expect(of('/name')).toMatchObject({
      class: 'identity/3',
      do: 'mask',
      because: 'role_recognises',
      rule: { file: 'policies/sluice/treatment/treatment.rego', rule: 'sluice.treatment._role' },
    });
    expect(of('/name').rule?.line).toBe(
      line(
        'policies/sluice/treatment/treatment.rego',
        '_role(category) := _limit("mask", 60, "role_recognises")',
      ),
    );
    expect(of('/name').data[0]).toMatchObject({
      file: 'policies/data/roles.yaml',
      path: 'roles.support.categories.identity',
      value: 'recognise',
    });
    // A code that is put together: tier_ and 2.
    expect(of('/phone')).toMatchObject({
      because: 'tier_2',
      rule: { rule: 'sluice.treatment._tier_because' },
    });
    expect(of('/phone').data[0]).toMatchObject({ path: 'tiers.2.categories.contact', value: 'disclose' });
    // What decided is that something is not there.
    expect(of('/preferences/channel').data[0]).toMatchObject({
      file: 'policies/data/roles.yaml',
      path: 'roles.support.categories.preference',
    });
  });

  test('a denial has the rule and the data of its reason', async () => {
    const said = await sluice([
      'explain',
      '--role',
      'adjuster',
      '--purpose',
      'claims',
      '--clearance',
      '4',
      '--json',
    ]);
    const { decision } = said.json<Explained>();
    expect(decision.allow).toBe(false);
    expect(decision.reasons[0]).toMatchObject({ code: 'mfa_required', rule: { rule: 'sluice.denials' } });
    expect(decision.reasons[0]?.data.map((d) => d.path)).toContain('purposes.claims.mfa');
  });

  test('a record is explained field by field as it is, with its data subject’s consents', async () => {
    const p = copy();
    p.write('record.json', '{"id":"C100004","phone":"13812345678","phone2":"x"}');
    const said = await sluice([
      'explain',
      '--role',
      'support',
      '--purpose',
      'after_sales',
      '--resource',
      'customer',
      '--record',
      p.path('record.json'),
      '--consents',
      'examples/insurer/consents.yaml',
      '--json',
    ]);
    const { states, uncatalogued } = said.json<Explained>();
    expect(states.map((s) => s.fields.map((f) => [f.field, f.do, f.because]))).toEqual([
      [
        ['/phone', 'mask', 'opted_out'],
        ['/id', 'disclose', 'tier_2'],
      ],
    ]);
    expect(uncatalogued).toEqual(['/phone2']);
    expect(said.out).not.toContain('13812345678');
  });

  test('an object that its line does not cover is told apart, with what to do about it', async () => {
    const p = copy();
    p.write('record.json', '{"id":"C100004","phone":{"mobile":"13812345678"},"address":{"lat":1}}');
    const flags = ['--role', 'support', '--purpose', 'after_sales', '--resource', 'customer'];
    const asked = ['explain', ...flags, '--record', p.path('record.json')];
    const { not_whole, uncatalogued } = (await sluice([...asked, '--json'])).json<Explained>();
    expect(not_whole).toEqual(['/phone']);
    expect(uncatalogued).toEqual(['/address/lat']);
    const said = await sluice(asked);
    expect(said.out).toContain('does not cover: dropped\n  /phone\n');
    expect(said.out).toContain('whole: true');
  });

  test('works for rules of another make', async () => {
    const said = await sluice([
      'explain',
      '--policies',
      OWN,
      '--role',
      'support',
      '--purpose',
      'after_sales',
      '--json',
    ]);
    const phone = said.json<Explained>().states[0]!.fields.find((f) => f.field === '/phone');
    expect(phone).toMatchObject({
      do: 'mask',
      because: 'consent_missing',
      rule: { rule: 'sluice._classes' },
    });
    expect(phone?.rule?.line).toBe(
      lineOf(join(OWN, 'sluice/disclosure.rego'), '"because": "consent_missing"'),
    );
  });

  test('a scenario is explained as it was played', async () => {
    const said = await sluice(['explain', '--scenario', 'opted out is reached', '--json']);
    const fields = said.json<Explained>().states.flatMap((s) => s.fields);
    expect(fields.find((f) => f.field === '/phone')).toMatchObject({ do: 'mask', because: 'opted_out' });
  });

  test('nothing to explain, and a scenario that is not there, are told', async () => {
    expect((await sluice(['explain'])).code).toBe(2);
    expect((await sluice(['explain', '--scenario', 'no such thing'])).code).toBe(3);
  });
});

test('every command has help with an example', async () => {
  for (const name of [
    'build',
    'check',
    'test',
    'eval',
    'explain',
    'matrix',
    'replay',
    'fmt',
    'schemas',
    'opa',
  ]) {
    const said = await sluice([name, '--help']);
    expect([name, said.code, /Examples?:/.test(said.out), said.out.includes('--json')]).toEqual([
      name,
      0,
      true,
      true,
    ]);
  }
});

test('a signed bundle is refused by who does not hold the key', async () => {
  if (opa === null) return;
  const p = copy(OWN);
  writeFileSync(p.path('secret'), 'a secret of many characters, for this test only');
  const file = p.path('b.tar.gz');
  const built = await sluice([
    'build',
    p.dir,
    '-o',
    file,
    '--signing-key',
    p.path('secret'),
    '--signing-alg',
    'HS256',
    '--signing-key-id',
    'k1',
  ]);
  expect(built.out).toContain('signed by k1 (HS256)');
  expect(existsSync(file)).toBe(true);
});
