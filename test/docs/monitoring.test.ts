/** The alerts and the dashboard: each does what it says, and every metric that they name is one that a sidecar prints. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { MIGRATIONS } from '../../src/compose/store.ts';
import { migrate } from '../../src/store/migrations.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { schemaUrl } from '../support/forwarder.ts';
import { REDIS } from '../support/redis.ts';
import { freshSchema, POSTGRES } from '../support/postgres.ts';
import { startSluice } from '../support/sluice.ts';

const FOLDER = join(import.meta.dirname, '../../docs/monitoring');
const read = (file: string): string => readFileSync(join(FOLDER, file), 'utf8');
const PROMTOOL = process.env['PROMTOOL'] ?? '/usr/bin/promtool';
const hasPromtool = process.env['SLUICE_PROMTOOL'] === 'required' || existsSync(PROMTOOL);
if (!hasPromtool) console.warn(`skipped: no promtool at ${PROMTOOL} (apt-get install prometheus)`);

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}
interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string }[];
  }[];
}
const alerts = (parse(read('alerts.yaml')) as Rules).groups.flatMap(({ rules }) => rules);
const dashboard = JSON.parse(read('dashboard.json')) as Dashboard;
const shown = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

const promtool = (...args: string[]): string => {
  const run = spawnSync(PROMTOOL, args, { cwd: FOLDER, encoding: 'utf8' });
  return run.status === 0 ? 'SUCCESS' : `${run.error?.message ?? ''}${run.stdout}${run.stderr}`;
};

describe.skipIf(!hasPromtool)('by promtool', () => {
  test('the alerts are rules of Prometheus, and each is tried', () => {
    expect(promtool('check', 'rules', '--lint=all', '--lint-fatal', 'alerts.yaml')).toBe('SUCCESS');
    expect(promtool('test', 'rules', 'alerts.test.yaml')).toBe('SUCCESS');
  });

  test('the dashboard asks in the language of Prometheus', () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-rules-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const rules = shown.map((expr, i) => ({
      record: `asked:${i}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
    }));
    const file = join(dir, 'rules.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(promtool('check', 'rules', file)).toBe('SUCCESS');
  });
});

test('every alert is tried', () => {
  const tried = new Set(read('alerts.test.yaml').match(/(?<=alertname: )\w+/g));
  expect(alerts.map(({ alert }) => alert).filter((name) => !tried.has(name))).toEqual([]);
});

test('the panels of the dashboard do not overlap, and have ids of their own', () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

test('a sidecar prints every metric that the alerts and the dashboard name, and those that the page lists', async () => {
  const { schema, drop } = await freshSchema('monitoring');
  onTestFinished(drop);
  const database = openPostgres(POSTGRES, { schema });
  await migrate(database, MIGRATIONS, () => new Date());
  await database.close();
  const running = await startSluice({
    config: {
      store: { postgres: schemaUrl(schema), announcements: { redis: REDIS } },
      consent: { store: true },
      notices: {
        alerts: { url: 'http://127.0.0.1:9', secret: `whsec_${Buffer.alloc(32).toString('base64')}` },
      },
      insecure: { literal_secrets: true },
      decision_log: { journal: { dir: './journal' }, checkpoints: {}, sinks: [{ file: './copies.ndjson' }] },
      tracing: { url: 'http://127.0.0.1:9/v1/traces' },
    },
  });
  onTestFinished(() => running.close());
  const { text } = await running.admin('/metrics');
  const printed = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!));
  const named = new Set(
    [...alerts.map(({ expr }) => expr), ...shown].flatMap((expr) => expr.match(/\bsluice_[a-z_]+/g) ?? []),
  );
  expect(named.size).toBeGreaterThan(20);
  expect([...named].map((name) => name.replace(/_bucket$/, '')).filter((name) => !printed.has(name))).toEqual(
    [],
  );
  const listed = read('../monitoring.md').match(/(?<=^\| `)sluice_[a-z_]+/gm) ?? [];
  expect(listed.toSorted()).toEqual([...printed].filter((name) => name.startsWith('sluice_')).toSorted());
}, 120_000);
