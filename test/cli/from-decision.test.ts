/** `sluice test --from-decision`: scenarios of recorded decisions. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { processIo } from '../../src/cli/io.ts';
import { differences } from '../../src/cli/policy/testing/expectations.ts';
import { playOne } from '../../src/cli/policy/testing/play.ts';
import { readScenarios } from '../../src/cli/policy/testing/scenario-files.ts';
import { recordedScenario } from '../../src/cli/policy/testing/scenario-recorded.ts';
import { openPolicy } from '../../src/cli/policy/source.ts';
import { createSnapshot } from '../../src/policy/snapshot/index.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { opa, ROOT, sluice } from './support.ts';

vi.setConfig({ testTimeout: 240_000 });

const dir = mkdtempSync(join(tmpdir(), 'sluice-recorded-'));
const journal = join(dir, 'journal');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.runIf(opa !== null)('a scenario of a recorded decision', () => {
  beforeAll(async () => {
    const demo = await sluice(['demo', '--once', '--json', '--customers', '50', '--dir', dir]);
    expect(demo.code).toBe(0);
  });

  test('passes as it is written, comes to what is on record, and says what the record does not hold', async () => {
    const { decisions } = await scanQuery(journal).query({ limit: 100 });
    const ids = decisions.filter((d) => d.kind === 'disclosure').map((d) => d.decision_id);
    expect(ids.length).toBeGreaterThan(5);
    const scenarios = join(dir, 'scenarios');
    mkdirSync(scenarios);
    for (const id of ids) {
      const said = await sluice([
        ...['test', 'policies', '--from-decision', id],
        ...['--journal', journal, '-o', join(scenarios, `${id}.yaml`)],
      ]);
      expect(said.code).toBe(0);
      expect(said.err).toContain('not on record: ids and all values, which are made up');
      expect(said.err).not.toContain('differs from the record');
      const text = readFileSync(join(scenarios, `${id}.yaml`), 'utf8');
      expect(text).toContain('# - ids and all values, which are made up');
      expect(text).not.toContain('hmac:');
    }
    const played = await sluice(['test', scenarios, '--policies', 'policies']);
    expect(played.out).toContain(`${ids.length} passed: 0 unit tests, ${ids.length} scenarios`);
  });

  test('says what comes out otherwise under another policy, and does not replace a file', async () => {
    const { decisions } = await scanQuery(journal).query({ limit: 100 });
    const allowed = decisions.find((d) => d.outcome === 'modified' && d.action === 'read')!;
    const argv = [
      'test',
      join(ROOT, 'test/policy/fixtures/policy'),
      '--from-decision',
      allowed.decision_id,
      '--journal',
      journal,
    ];
    const said = await sluice(argv);
    expect(said.err).toMatch(/differs from the record: the policy is another/);
    expect(said.out).toMatch(/^# What comes of it differs from what is on record:$/m);
    const file = join(dir, 'once.yaml');
    expect((await sluice([...argv, '-o', file])).code).toBe(0);
    expect((await sluice([...argv, '-o', file])).err).toContain('a file that is there is not replaced');
  });

  test.each([
    [
      'a search by a field',
      'GET /api/customers',
      'search',
      { query_fields: ['/phone', '/address/city'], body_fields: [] },
    ],
    ['a write', 'PUT /api/customers/{id}', 'update', { query_fields: [], body_fields: ['/phone'] }],
  ])('%s can be played, whatever its parameters were called', async (_what, route, name, properties) => {
    const { decisions } = await scanQuery(journal).query({ limit: 100 });
    const read = decisions.find((d) => d.outcome === 'modified' && d.purpose === 'after_sales')!;
    const policy = await createSnapshot((await openPolicy('policies', { ...processIo(), cwd: ROOT })).bundle);
    const { file } = recordedScenario(
      {
        ...read,
        request: { ...read.request!, route },
        input: { ...(read.input as object), action: { name, properties } },
      },
      policy,
    );
    const { documents } = readScenarios('', [{ path: 'a.yaml', text: stringify(file) }]);
    const came = await playOne(policy, documents[0]!, 0);
    expect([came.status, came.decision?.action]).toEqual([200, name]);
  });

  test('a decision that is not there, and one without a journal, are told', async () => {
    expect((await sluice(['test', '--from-decision', 'none', '--journal', journal])).err).toContain(
      'has no decision none',
    );
    expect((await sluice(['test', '--from-decision', 'none'])).code).toBe(2);
  });

  test('consents come to the status that is on record, whatever it is, at the time of the decision', async () => {
    const { decisions } = await scanQuery(journal).query({ limit: 100 });
    const decision = decisions.find((d) => (d.disclosure?.answers ?? []).length > 0)!;
    const of = (status: string) => ({
      purpose: 'claims',
      categories: ['contact'],
      recipient: 'internal',
      status: status as 'given',
    });
    const states = ['given', 'withdrawn', 'expired', 'pending'].map(of);
    const answers = decision.disclosure!.answers!.map((a) => ({ ...a, consents: states }));
    const { file } = recordedScenario(
      { ...decision, disclosure: { ...decision.disclosure!, answers } },
      { catalogs: new Map(), data: {} },
    );
    const [scenario] = file.scenarios;
    const [state] = Object.values(scenario!.consents!);
    const now = Date.parse(scenario!.now!);
    expect(
      state!.consents!.map((c) =>
        c.status === 'withdrawn'
          ? 'withdrawn'
          : c.until !== undefined && Date.parse(c.until) < now
            ? 'expired'
            : c.from !== undefined && Date.parse(c.from) > now
              ? 'pending'
              : 'given',
      ),
    ).toEqual(['given', 'withdrawn', 'expired', 'pending']);
  });
});

test('a member that is expected and is not there is told with the members that are', () => {
  const body = Buffer.from(JSON.stringify({ id: 'C1', address: { city: 'a' }, list: [1, 2] }));
  const came = { status: 200, headers: {}, body, decision: null, asked: [{ method: 'GET', target: '/' }] };
  const members = { '/telephone': '1', '/address/town': '2', '/address/city/x': 1, '/list/5': 1 };
  const scenario = {
    name: 'n',
    request: { method: 'GET' as const, path: '/' },
    token: null,
    upstream: { status: 200 },
    expect: { status: 200, members },
  };
  expect(differences(scenario, came)).toEqual([
    'member /telephone: "1" expected, nothing is there; the answer has id, address, list',
    'member /address/town: "2" expected, nothing is there; /address has city',
    'member /address/city/x: 1 expected, nothing is there; /address has city',
    'member /list/5: 1 expected, nothing is there; /list has 2 elements',
  ]);
});
