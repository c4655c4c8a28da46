/** OPA's own view of the default policy: style, strictness, its unit tests, and that every build of it answers alike. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { policyWith } from '../support/policy.ts';

const OPA = process.env['OPA_BIN'] ?? 'node_modules/opa-linux-x64/opa';
const SOURCES = ['policies/sluice', 'policies/data'];
const THRESHOLD = 95;
if (!existsSync(OPA)) console.warn(`skipped: no OPA at ${OPA}`);

const opa = (...args: string[]) => spawnSync(OPA, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

describe.runIf(existsSync(OPA))('the default policy', () => {
  test('is formatted', () => {
    expect(opa('fmt', '--fail', '--list', 'policies/sluice').stdout).toBe('');
  });

  test('passes the strict check', () => {
    const run = opa('check', '--strict', ...SOURCES);
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
  });

  test(`passes its unit tests, which cover at least ${THRESHOLD} % of every file`, () => {
    const run = opa('test', '--coverage', '--timeout', '60s', ...SOURCES);
    // A failure is told in words instead of the report.
    expect({ status: run.status, said: run.status === 0 ? '' : run.stdout + run.stderr }).toEqual({
      status: 0,
      said: '',
    });
    const report = JSON.parse(run.stdout) as {
      coverage: number;
      files: Record<string, { coverage: number }>;
    };
    expect(report.coverage).toBeGreaterThanOrEqual(THRESHOLD);
    const thin = Object.entries(report.files).filter(
      ([f, v]) => !f.endsWith('_test.rego') && v.coverage < THRESHOLD,
    );
    expect(thin.map(([f, v]) => `${f}: ${v.coverage}`)).toEqual([]);
  });

  test.each(['0', '1'])('builds at -O %s without its data, which stays a reference', (level) => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-build-'));
    try {
      cpSync('policies/sluice', join(dir, 'sluice'), {
        recursive: true,
        filter: (path) => !path.endsWith('_test.rego'),
      });
      writeFileSync(join(dir, '.manifest'), '{"roots":["sluice"]}');
      const entrypoints = ['-e', 'sluice/decision', '-e', 'sluice/disclosure'];
      const run = opa(
        'build',
        '--bundle',
        '-t',
        'wasm',
        '-O',
        level,
        ...entrypoints,
        '-o',
        join(dir, 'b.tar.gz'),
        dir,
      );
      expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('reads nothing of the input that differs from request to request without a reason', () => {
    const read = ['data.sluice.decision', 'data.sluice.disclosure'].flatMap((rule) => {
      const run = opa('deps', '--format', 'json', '-d', 'policies/sluice', rule);
      const { base } = JSON.parse(run.stdout) as { base: { value: unknown }[][] };
      return base
        .filter((ref) => ref[0]?.value === 'input')
        .map((ref) => ref.slice(1).map((part) => String(part.value)));
    });
    // Answers are cached by these paths: a whole `input` or `context` among them would make every request its own.
    expect(read.filter((path) => path.length < 2)).toEqual([]);
    const perRequest = ['subject.id', 'context.request', 'subject.properties.assurance.auth_time'];
    expect(read.filter((path) => perRequest.some((p) => path.join('.').startsWith(p)))).toEqual([]);
  });

  test('is compiled with the optimizer, which confuses negations of two entrypoints', async () => {
    expect((await policyWith({})).unoptimized).toBeUndefined();
  });

  test('describes every public rule', () => {
    const run = opa('inspect', '--annotations', '--format', 'json', 'policies/sluice');
    const { annotations } = JSON.parse(run.stdout) as {
      annotations: { annotations: { title?: string; entrypoint?: boolean }; path?: { value: string }[] }[];
    };
    expect(annotations.every((a) => a.annotations.title !== undefined && a.annotations.title !== '')).toBe(
      true,
    );
    const entrypoints = annotations
      .filter((a) => a.annotations.entrypoint)
      .map((a) => a.path?.map((p) => p.value).join('.'));
    expect(entrypoints.toSorted()).toEqual([
      'data.sluice.admin',
      'data.sluice.decision',
      'data.sluice.disclosure',
      'data.sluice.log',
    ]);
  });
});
