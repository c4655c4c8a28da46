/** A whole Sluice that asks for approvals: what `/readyz` and the journal say of a policy that has none. */
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { compose } from '../../src/compose/compose.ts';
import { parseConfig } from '../../src/config/index.ts';
import type { DecisionRecord } from '../../src/model/record.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { opa, ROOT, sluice } from '../cli/support.ts';
import { recordsOf } from '../support/journals.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-approved-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const CONFIG = `version: 1
listen: { proxy: "127.0.0.1:0", admin: "127.0.0.1:0" }
upstreams: { crm: { url: "http://127.0.0.1:9" } }
identity: { api_keys: [{ id: a, sha256: "${'0'.repeat(64)}", subject: { id: a, organization: internal } }] }
policy:
  dir: ./policies
  watch: false
  require_approval: { file: ./approvals.json, keys: { li-2026: { algorithm: ES256, file: ./li.pub } } }
consent: { file: ./consents.yaml }
decision_log: { journal: { dir: ./journal } }
routes: [{ match: "GET /a", upstream: crm, resource: customer, action: search, records: /items/* }]
`;

test.skipIf(opa === null)(
  'only an approved policy serves; approvals and refusals are on record, and readiness is degraded',
  { timeout: 120_000 },
  async () => {
    cpSync(join(ROOT, 'test/policy/fixtures/policy'), join(dir, 'policies'), { recursive: true });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(dir, 'li.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(dir, 'li.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(join(dir, 'consents.yaml'), '---\nversion: 1\ndata_subjects: {}\n...\n');
    writeFileSync(join(dir, 'sluice.yaml'), CONFIG);
    const loaded = parseConfig(CONFIG, join(dir, 'sluice.yaml'), {});
    const records = (): DecisionRecord[] =>
      recordsOf(join(dir, 'journal')).filter((r) => r.kind === 'policy');

    await expect(compose(loaded, { logger: silentLogger })).rejects.toMatchObject({
      code: 'policy_unapproved',
    });
    expect(records().map((r) => [r.outcome, r.reasons[0]?.code])).toEqual([['denied', 'policy_unapproved']]);

    const { digest } = (await sluice(['approve', 'policies', '--json'], { cwd: dir })).json<{
      digest: string;
    }>();
    const approve = [
      ...['approve', 'policies', '--digest', digest, '--reviewer', 'Li Lei', '--key', 'li.pem'],
      ...['--key-id', 'li-2026'],
    ];
    expect((await sluice(approve, { cwd: dir })).code).toBe(0);
    const running = await compose(loaded, { logger: silentLogger });
    try {
      const readiness = async () => {
        const answer = await fetch(`${running.admin}/readyz`);
        const { checks } = (await answer.json()) as {
          checks: { policy: { ok: boolean; degraded: boolean; detail: { error: { code: string } | null } } };
        };
        return { ...checks.policy, error: checks.policy.detail.error?.code ?? null };
      };
      expect(await readiness()).toMatchObject({ ok: true, degraded: false, error: null });
      const { revision } = running.policy.status();
      expect(records()[1]).toMatchObject({
        outcome: 'allowed',
        reasons: [{ code: 'policy_approved' }],
        labels: { reviewer: 'Li Lei', key: 'li-2026' },
        policy: { revision },
      });

      const catalog = join(dir, 'policies/catalog/customer.yaml');
      writeFileSync(catalog, readFileSync(catalog, 'utf8').replace('grade: 3', 'grade: 1'));
      await running.policy.reload();
      expect(await readiness()).toMatchObject({ ok: true, degraded: true, error: 'policy_unapproved' });
      expect(running.revision()).toBe(revision);
      expect(records().map((r) => r.outcome)).toEqual(['denied', 'allowed', 'denied']);
      expect(records()[2]?.policy?.revision).not.toBe(revision);
    } finally {
      await running.close();
    }
    const asked = ['decisions', 'query', '--kind', 'policy', '--reason', 'policy_approved', '--json'];
    const who = await sluice([...asked, '--journal', join(dir, 'journal')]);
    expect([who.code, who.out.match(/"reviewer": ?"Li Lei"/g)?.length]).toEqual([0, 1]);
    // Before it goes live, `sluice check` tells that it would not.
    const checked = await sluice(['check', '--config', join(dir, 'sluice.yaml'), '--json']);
    expect(checked.err).toBe('');
    const { findings } = checked.json<{ findings: { rule: string; severity: string; message: string }[] }>();
    expect(findings.filter((f) => f.rule === 'approval').map((f) => [f.severity, f.message])).toEqual([
      ['note', expect.stringMatching(/^policy\.require_approval: it would not go live: .*is not approved/)],
    ]);
    const verified = await sluice(['decisions', 'verify', '--journal', join(dir, 'journal')]);
    expect([verified.code, verified.err]).toEqual([0, expect.anything()]);
  },
);
