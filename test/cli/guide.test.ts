/** What `docs/policy-guide.md` shows of `sluice matrix` and `sluice replay` is what they print. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Copy, opa, ROOT, sluice } from './support.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const GUIDE = join(ROOT, 'docs/policy-guide.md');
const blocks = [...readFileSync(GUIDE, 'utf8').matchAll(/```console\n([\s\S]*?)```/g)]
  .map(([, text = '']) => text)
  .filter((text) => /^\$ sluice (?:matrix|replay) /.test(text));

/** what differs from run to run */
const steady = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replace(/\b[0-9a-f]{32}\b/g, 'REVISION')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\(\d+\.\d s\)/g, '(SECONDS)')
    .trimEnd();

const parsed = blocks.map((block) => {
  const at = block.search(/\n(?! {4})/);
  const argv = block.slice(2, at).replace(/\\\n/g, ' ').trim().split(/\s+/).slice(1);
  return { argv, wanted: block.slice(at + 1) };
});

describe.runIf(opa !== null)('the policy guide', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-guide-'));
  beforeAll(async () => {
    // consents of the demo and agreements end some day
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-30T08:00:00Z'), shouldAdvanceTime: true });
    symlinkSync(join(ROOT, 'policies'), join(dir, 'policies'));
    cpSync(join(ROOT, 'policies'), join(dir, 'reclassified'), { recursive: true });
    const p = new Copy(join(ROOT, 'policies'), join(dir, 'reclassified'));
    p.change(
      'catalog/customer.yaml',
      '/phone: { category: contact, grade: 3',
      '/phone: { category: reference, grade: 1',
    );
    p.change(
      'catalog/customer.yaml',
      '/id_number: { category: identity, grade: 4',
      '/id_number: { category: identity, grade: 3',
    );
    p.change('catalog/customer.yaml', 'mask: bank_card', 'mask: { kind: generic, keep_last: 4 }');
    p.change('data/roles.yaml', 'purposes: [underwriting]', 'purposes: [underwriting, after_sales]');
    const demo = await sluice(['demo', '--once', '--json', '--customers', '50', '--dir', join(dir, 'demo')]);
    expect(demo.code).toBe(0);
  });
  afterAll(() => {
    vi.useRealTimers();
    rmSync(dir, { recursive: true, force: true });
  });

  test('shows the matrix, what a change changes and what it would have changed', () => {
    expect(parsed.map(({ argv }) => argv.slice(0, 2).join(' '))).toEqual([
      'matrix policies',
      'matrix --diff',
      'replay --journal',
    ]);
  });

  test.each(parsed.map(({ argv, wanted }) => [argv.join(' '), argv, wanted] as const))(
    'sluice %s prints what the guide shows',
    async (_command, argv, wanted) => {
      const { out } = await sluice(argv, { cwd: dir });
      if (process.env['WRITE_GUIDE'] !== undefined) {
        // written anew: WRITE_GUIDE=1
        const text = readFileSync(GUIDE, 'utf8');
        writeFileSync(
          GUIDE,
          text.replace(`\n${wanted}\`\`\``, () => `\n${out}\`\`\``),
        );
      } else expect(steady(out)).toBe(steady(wanted));
    },
  );
});
