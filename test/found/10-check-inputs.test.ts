/**
 * Class: `check` passed over an input, or told one fault once for every place it shows in. Root causes: only some of the files that a
 * configuration names were read; names in credentials and scenarios were compared with nothing; what comes of a fault was told as faults.
 */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { agreementFindings } from '../../src/cli/policy/check/agreements.ts';
import { githubCommands, sarifOf } from '../../src/cli/policy/check/finding-formats.ts';
import { arranged, type Finding } from '../../src/cli/policy/check/findings.ts';
import { readYaml } from '../../src/documents/yaml.ts';
import { Copy, opa, ROOT, sluice } from '../cli/support.ts';

vi.setConfig({ testTimeout: 180_000 });

const dir = mkdtempSync(join(tmpdir(), 'sluice-inputs-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Checked {
  readonly findings: readonly (Finding & { readonly also?: readonly unknown[] })[];
}
/** what counts, with the places */
async function told(...argv: string[]): Promise<readonly Finding[]> {
  const { findings } = (await sluice(['check', ...argv, '--json'], { cwd: dir })).json<Checked>();
  return findings.filter((f) => f.severity !== 'note');
}

describe.skipIf(opa === null)('one cause is one finding, whatever it spoils', () => {
  test.each<[string, (p: Copy) => void, RegExp, number]>([
    [
      'a purpose is renamed where it is defined',
      (p) => p.change('data/purposes.yaml', '\n  after_sales:', '\n  aftersales:'),
      /no purpose "after_sales"; did you mean "aftersales"/,
      45,
    ],
    [
      'a catalog is removed',
      (p) => rmSync(p.path('catalog/employee.yaml')),
      /no catalog for resource "employee"/,
      11,
    ],
    [
      'a file of data is removed',
      (p) => rmSync(p.path('data/purposes.yaml')),
      /the rules read data\.purposes, and no file of data\/ has it/,
      0,
    ],
    [
      'the end of a file of rules is missing',
      (p) => p.change('sluice/decision.rego', /$/, '\nx := {\n'),
      /rego_parse_error/,
      0,
    ],
    [
      'a period is for a category that no field has',
      (p) => {
        p.change(
          'data/categories.yaml',
          /$/,
          '\n  biometric: { title: B, withheld_as: drop, leaves: true, write: never }\n',
        );
        p.change(
          'data/retention.yaml',
          /^retention: \{\}$/m,
          `retention: { t: { title: T, categories: [biometric], keep: P7Y } }`,
        );
      },
      /^retention\.t\.categories\.0: there is no field of the category "biometric"/,
      0,
    ],
    [
      'a period is counted from an attribute that no catalog names',
      (p) =>
        p.change(
          'data/retention.yaml',
          /^retention: \{\}$/m,
          `retention: { t: { title: T, categories: [transaction], keep: P7Y, attribute: datd } }`,
        ),
      /^retention\.t\.attribute: there is no attribute in any catalog, "datd"; did you mean "dated"/,
      0,
    ],
    [
      'a period is counted from an attribute that the catalog of its resource does not name',
      (p) =>
        p.change(
          'data/retention.yaml',
          /^retention: \{\}$/m,
          `retention: { t: { title: T, categories: [staff], keep: P7Y, resources: [employee] } }`,
        ),
      /^retention\.t: there is no attribute in the catalog of employee, "dated"/,
      0,
    ],
    [
      'a record filter is about an attribute that the catalog does not name',
      (p) =>
        p.change(
          'data/record_filters.yaml',
          /^record_filters: \{\}$/m,
          `record_filters: { f: { title: T, where: [{ resource: customer, attribute: provnce, in: [x] }] } }`,
        ),
      /^record_filters\.f\.where\.0\.attribute: there is no attribute in the catalog of customer, "provnce"; did you mean "province"/,
      0,
    ],
    [
      'a key is misspelled',
      (p) => p.change('data/roles.yaml', 'max_grade: 4', 'max_gade: 4'),
      /unknown key "max_gade"; did you mean "max_grade"\?$/,
      0,
    ],
    [
      'a name has a comma of another script',
      (p) => p.change('data/roles.yaml', '[claims, emergency]', '[claims，emergency]'),
      /there is no purpose "claims，emergency"/,
      0,
    ],
    [
      'a colon is one of another script',
      (p) => p.change('data/roles.yaml', 'title: Underwriter', 'title： Underwriter'),
      /; this line has "：" \(U\+FF1A\), which is no punctuation of YAML$/,
      0,
    ],
    [
      'a day is written otherwise',
      (p) => p.change('data/partners.yaml', '"2035-12-31"', '"2035/12/31"'),
      /there is no day 2035\/12\/31/,
      0,
    ],
    [
      'an anchor contains itself',
      (p) => p.change('data/roles.yaml', /$/, '  loop: &a\n    title: x\n    includes: *a\n'),
      /^the value of the anchor contains itself$/,
      0,
    ],
    [
      'a file holds two documents',
      (p) => p.change('data/roles.yaml', /$/, '---\nroles: {}\n'),
      /^a second YAML document begins here/,
      0,
    ],
    [
      'the first word of a file of rules is misspelled',
      (p) => p.change('sluice/recipient/recipient.rego', 'package', 'pakcage'),
      /^rego_parse_error: package expected/,
      0,
    ],
    [
      'a name is of another script than names are',
      (p) => p.change('data/partners.yaml', /$/, '  港口快递: { title: x, agreements: {} }\n'),
      /"港口快递" is not a name: it must match \^\[a-z\]/,
      0,
    ],
    [
      'a copy was left beside a file',
      (p) =>
        p.write(
          'data/roles.bak.yaml',
          readFileSync(p.path('data/roles.yaml'), 'utf8').replace('max_grade: 4', 'max_grade: 3'),
        ),
      /merge error: two data files give the same key different values/,
      0,
    ],
    [
      'a file is not UTF-8',
      (p) =>
        writeFileSync(
          p.path('data/roles.yaml'),
          Buffer.from('roles:\n  a: { title: \xb7\xd6\xce\xf6 }\n', 'latin1'),
        ),
      /^this is not UTF-8/,
      0,
    ],
  ])('%s', async (_what, spoil, said, also) => {
    const p = new Copy();
    spoil(p);
    const findings = await told(p.dir);
    p.remove();
    expect(findings.map((f) => f.message)).toEqual([expect.stringMatching(said)]);
    expect(findings[0]?.also ?? []).toHaveLength(also);
    expect(findings[0]?.file).toBeDefined();
  });

  test('a word that is live with another meaning than its file shows is a fault at its place', async () => {
    const p = new Copy();
    p.change('data/roles.yaml', 'max_records: 100', 'max_records: 0100');
    p.change('data/roles.yaml', 'departments: [retail, branch]', 'departments: [retail, on, "off"]');
    p.change('data/partners.yaml', '  city_clinic:', '  no:');
    const findings = (await told(p.dir)).filter((f) => f.message.startsWith('OPA reads'));
    p.remove();
    expect(findings.map((f) => f.message)).toEqual([
      'OPA reads no as false, and others as "no": write "no"',
      'OPA reads 0100 as 64, and others as 100: write it so that both are the same',
      'OPA reads on as true, and others as "on": write "on"',
    ]);
    expect(findings.every((f) => f.line !== undefined && f.column !== undefined)).toBe(true);
  });

  test('members that another mapping lends (<<) are read as OPA reads them', async () => {
    const p = new Copy();
    p.change('data/roles.yaml', '  support:\n', '  support: &support\n');
    p.change(
      'data/roles.yaml',
      /$/,
      '  senior:\n    <<: *support\n    title: Senior\n    purposes: [after_sals]\n',
    );
    const findings = await told(p.dir);
    p.change('data/roles.yaml', 'after_sals', 'after_sales');
    const mended = await told(p.dir);
    p.remove();
    expect(findings.map((f) => f.message)).toEqual([
      expect.stringMatching(/no purpose "after_sals"; did you mean "after_sales"/),
    ]);
    expect(mended).toEqual([]);
  });

  test('a link that leads nowhere is no file that was left out', async () => {
    const p = new Copy();
    symlinkSync('/nowhere/flags.yaml', p.path('data/more.yaml'));
    const said = await sluice(['check', p.dir]);
    p.remove();
    expect([said.code, said.err]).toEqual([3, expect.stringMatching(/data\/more\.yaml cannot be read/)]);
  });

  test('different causes are all told: more than the ten after which OPA stops', async () => {
    const p = new Copy();
    const calls = Array.from({ length: 14 }, (_, i) => `_x_${i} := foo_${i}(1)\n`).join('');
    p.change('sluice/decision.rego', /$/, `\n${calls}`);
    const found = (await told(p.dir)).filter((f) => f.severity === 'fault');
    p.remove();
    expect(found).toHaveLength(14);
    expect(found.every((f) => /undefined function foo_\d+$/.test(f.message))).toBe(true);
  });
});

const CONFIG = `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity:
  issuers:
    - { issuer: "https://a.example", realm: a, audience: s, jwks: { file: ./none.json }, algorithms: [ES256], purpose: delvery }
    - { issuer: "https://b.example", realm: b, audience: s, jwks: { file: ./private.json }, algorithms: [ES256] }
    - { issuer: "https://c.example", realm: c, audience: s, jwks: { file: ./eight.json }, algorithms: [ES256, RS256] }
    - { issuer: "https://d.example", realm: d, audience: s, jwks: { file: ./nine.json }, algorithms: [ES256] }
  api_keys:
    - { id: k, sha256: "${'0'.repeat(64)}", expires: "2024-01-01", subject: { id: k, organization: swift_logistic, roles: [courier, courrier], purpose: delvery } }
purpose: { default: after_sale, recipients: { swift: swift_logistics, clinic: city_clinik } }
policy: { dir: ${JSON.stringify(join(ROOT, 'policies'))}, signing: { keys: { a: { algorithm: ES256, file: ./none.pem } } } }
consent: { file: ./consents.yaml }
decision_log: { journal: { dir: ./journal } }
routes:
  - { match: "GET /a", upstream: crm, resource: cutomer, action: search, records: /items/* }
  - { match: "GET /b", upstream: crm, resource: cutomer, action: search, records: /items/*, purpose: claim }
notices: { recipients: { swift_logistic: { url: "https://hooks.example/", secret: env:SWIFT_WEBHOOK } } }
`;

test.skipIf(opa === null)('every name and every file of a configuration is looked at', async () => {
  writeFileSync(join(dir, 'sluice.yaml'), CONFIG);
  writeFileSync(
    join(dir, 'private.json'),
    JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', d: 'AA' }] }),
  );
  const unnamed = (n: number, kind: object) => Array.from({ length: n }, () => kind);
  const ec = unnamed(8, { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' });
  const rsa = unnamed(8, { kty: 'RSA', n: 'AA', e: 'AQAB' });
  const named = unnamed(9, { ...ec[0], kid: 'k' });
  writeFileSync(join(dir, 'eight.json'), JSON.stringify({ keys: [...ec, ...rsa, ...named] }));
  writeFileSync(join(dir, 'nine.json'), JSON.stringify({ keys: [...ec, ec[0]] }));
  writeFileSync(
    join(dir, 'consents.yaml'),
    `---
version: 1
data_subjects:
  C1: { consents: [{ purpose: after_sale, categories: [contact], recipient: internal, status: given, from: 2026-01-01 }] }
...
`,
  );
  process.env['SWIFT_WEBHOOK'] = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const findings = await told('--config', 'sluice.yaml').finally(() => delete process.env['SWIFT_WEBHOOK']);
  expect(
    findings.map(
      (f) => `${f.severity} ${f.file}:${f.line} ${f.message}${f.also ? ` +${f.also.length}` : ''}`,
    ),
  ).toEqual([
    expect.stringMatching(/^fault consents\.yaml:4 there is no purpose "after_sale".*"after_sales".* \+1$/),
    expect.stringMatching(/^fault nine\.json:1 9 keys of one kind \(P-256\) have no "kid"/),
    'fault none.json:1 the file cannot be read (ENOENT)',
    'fault none.pem:1 the file cannot be read (ENOENT)',
    'fault private.json:1 no public key is in the file: shared and private keys are not used',
    expect.stringMatching(/^fault sluice\.yaml:5 identity\.issuers\[0\]\.purpose: .*"delivery".* \+1$/),
    expect.stringMatching(/^warning sluice\.yaml:10 identity\.api_keys\[0\]\.expires: this key expired/),
    expect.stringMatching(
      /^warning sluice\.yaml:10 identity\.api_keys\[0\]\.subject\.organization: .*"swift_logistics"/,
    ),
    expect.stringMatching(/^fault sluice\.yaml:10 identity\.api_keys\[0\]\.subject\.roles\[1\]: .*"courier"/),
    expect.stringMatching(/^fault sluice\.yaml:11 purpose\.recipients\.clinic: .*"city_clinic"/),
    expect.stringMatching(/^fault sluice\.yaml:16 routes\[0\]\.resource: .*"customer".* \+1$/),
    expect.stringMatching(/^fault sluice\.yaml:17 routes\[1\]\.purpose: .*"claims"/),
    expect.stringMatching(/^fault sluice\.yaml:18 notices\.recipients\.swift_logistic: .*"swift_logistics"/),
  ]);
});

test.skipIf(opa === null)(
  'a bundle is looked at as what it was made of, and must carry the signature asked for',
  async () => {
    const p = new Copy();
    p.change('scenarios/support.yaml', 'Sluice-Purpose: after_sales', 'Sluice-Purpose: after_sale');
    p.change('scenarios/support.yaml', '/id_number: { do: drop', '/id_numbr: { do: drop');
    p.change('scenarios/support.yaml', 'purpose: after_sales, tier: 2', 'purpose: after_sle, tier: 2');
    const bundle = join(dir, 'bundle.tar.gz');
    expect((await sluice(['build', p.dir, '-o', bundle])).code).toBe(0);
    p.remove();
    writeFileSync(
      join(dir, 'by-bundle.yaml'),
      `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: a, sha256: "${'0'.repeat(64)}", subject: { id: a, organization: internal } }] }
policy: { bundle: ./bundle.tar.gz, signing: { keys: { k: { algorithm: HS256, key: env:NO_SECRET } } } }
consent: { file: ./empty.yaml }
routes: [{ match: "GET /a", upstream: crm, resource: customer, action: search, records: /items/* }]
`,
    );
    writeFileSync(join(dir, 'empty.yaml'), '---\nversion: 1\ndata_subjects: {}\n...\n');
    expect((await told(bundle)).map((f) => f.message)).toEqual([
      'there is no purpose "after_sale"; did you mean "after_sales"?',
      'no catalog of these routes has a field /id_numbr; did you mean "/id_number"?',
      'there is no purpose "after_sle"; did you mean "after_sales"?',
    ]);
    process.env['NO_SECRET'] = 'a secret that signed nothing, for this test only';
    const refused = await told('--config', 'by-bundle.yaml').finally(() => delete process.env['NO_SECRET']);
    expect(refused.map((f) => `${f.rule} ${f.message}`)).toEqual([
      expect.stringMatching(/^bundle .*the bundle is not signed/),
    ]);
  },
);

test('an agreement is told of before it ends, noted after, and a day that does not exist is a fault', () => {
  const read = readYaml(
    'partners.yaml',
    ['2026-11-29', '2026-11-30', '2026-12-30', '2026-12-31', '2026-11-31']
      .map((until, i) => `  p${i}: { agreements: { delivery: { until: "${until}" } } }`)
      .reduce((text, line) => `${text}\n${line}`, 'partners:'),
  );
  if ('faults' in read) throw new Error('not YAML');
  const documents = new Map([['policy-partners.schema.json', [read.document]]]);
  const found = agreementFindings(documents, new Date('2026-11-30T23:59:59Z'));
  expect(arranged(found, '/').map((f) => [f.line, f.severity])).toEqual([
    [2, 'note'],
    [3, 'warning'],
    [4, 'warning'],
    [6, 'fault'],
  ]);
});

describe('formats', () => {
  const place = fc.record(
    {
      file: fc.constantFrom('a b.yaml', 'policies/数据/roles.yaml', '/elsewhere/x,y:z.rego', '100%.yaml'),
      line: fc.integer({ min: 1, max: 99 }),
      column: fc.integer({ min: 1, max: 99 }),
    },
    { requiredKeys: ['file'] },
  );
  const finding: fc.Arbitrary<Finding> = fc
    .record({
      severity: fc.constantFrom('fault' as const, 'warning' as const, 'note' as const),
      rule: fc.constantFrom('catalog', 'style', 'reference'),
      message: fc.string({
        unit: fc.constantFrom('a', '\n', '\r', '%', ':', ',', '::', '名', '0A'),
        minLength: 1,
      }),
      at: fc.option(place, { nil: undefined }),
      cause: fc.option(fc.constantFrom('one', 'two'), { nil: undefined }),
    })
    .map(({ at, cause, ...f }) => ({ ...f, ...at, ...(cause === undefined ? {} : { cause }) }));

  test('a command of GitHub Actions is one line, and the runner reads back what was found', () => {
    fc.assert(
      fc.property(fc.array(finding, { maxLength: 5 }), (list) => {
        const lines = githubCommands(list, '/repo/sub', '/repo').split('\n');
        expect(lines.pop()).toBe('');
        expect(lines).toHaveLength(list.length);
        for (const [i, line] of lines.entries()) {
          // as the runner does: actions/runner, src/Runner.Common/ActionCommand.cs
          const [, command, properties = '', text = ''] = /^::(\w+) ([^\r]*?)::([^\r]*)$/.exec(line)!;
          const back = (s: string): string =>
            s
              .replaceAll('%0D', '\r')
              .replaceAll('%0A', '\n')
              .replaceAll('%3A', ':')
              .replaceAll('%2C', ',')
              .replaceAll('%25', '%');
          const read = Object.fromEntries(properties.split(',').map((p) => p.split('=').map(back)));
          const f = list[i]!;
          expect(command).toBe({ fault: 'error', warning: 'warning', note: 'notice' }[f.severity]);
          // From the root of the repository, whichever directory the step runs in.
          expect(read['file']).toBe(f.file?.startsWith('/') === false ? `sub/${f.file}` : f.file);
          expect(read['line']).toBe(f.line?.toString());
          const data = text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
          expect(data.startsWith(f.message)).toBe(true);
        }
      }),
    );
  });

  const {
    $schema: _,
    id: __,
    ...official
  } = createRequire(import.meta.url)('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json') as {
    readonly [name: string]: unknown;
  };
  // The schema is of draft 4; it uses no keyword that a later draft reads differently.
  const ajv = new Ajv({ allErrors: true, strict: false, unicodeRegExp: false });
  formats.default(ajv);
  const validate = ajv.compile(official);
  test('SARIF matches the official schema of 2.1.0, and each result names its rule', () => {
    fc.assert(
      fc.property(fc.array(finding, { maxLength: 5 }), (list) => {
        const once = arranged(list, '/repo');
        const sarif = JSON.parse(
          JSON.stringify(sarifOf(once, { cwd: '/repo/sub', root: '/repo', about: '/repo/sub' })),
        ) as {
          runs: [
            {
              tool: { driver: { rules: { id: string }[] } };
              results: {
                ruleId: string;
                ruleIndex: number;
                locations: { physicalLocation: { artifactLocation: { uri: string } } }[];
              }[];
            },
          ];
        };
        expect([validate(sarif), validate.errors]).toEqual([true, null]);
        const [{ tool, results }] = sarif.runs;
        expect(results).toHaveLength(once.length);
        for (const [i, r] of results.entries()) {
          expect(tool.driver.rules[r.ruleIndex]?.id).toBe(r.ruleId);
          const { uri } = r.locations[0]!.physicalLocation.artifactLocation;
          const file = once[i]!.file ?? '';
          expect(decodeURIComponent(uri)).toBe(
            file.startsWith('/') ? `file://${file}` : ['sub', file].filter(Boolean).join('/'),
          );
        }
      }),
    );
  });
});
