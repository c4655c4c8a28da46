/** The sheet that is signed names what it is about, so that an approval can be of that and of nothing else. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Copy, opa, sluice } from './support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-sheet-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const NARROW = [
  '--role',
  'support',
  '--purpose',
  'after_sales',
  '--resource',
  'employee',
  '--recipient',
  'internal',
];

test.skipIf(opa === null)(
  'the sheet has revisions, digests, author and reviewer, escaped, and the command that approves it',
  { timeout: 180_000 },
  async () => {
    const p = new Copy();
    const changed = new Copy();
    changed.change(
      'catalog/employee.yaml',
      '/work_phone: { category: staff, grade: 2',
      '/work_phone: { category: staff, grade: 1',
    );
    const sheet = join(dir, 'sheet.html');
    const names = ['--author', "Han <b>Mei'mei", '--reviewer', 'Li Lei'];
    const said = await sluice([
      'matrix',
      '--diff',
      p.dir,
      changed.dir,
      ...NARROW,
      '--html',
      sheet,
      '--json',
      ...names,
    ]);
    expect([said.code, said.err]).toEqual([0, '']);
    const html = readFileSync(sheet, 'utf8');
    const { before, after } = said.json<Record<'before' | 'after', { revision: string; digest: string }>>();
    expect(before.digest).not.toBe(after.digest);
    for (const policy of [before, after]) {
      expect(html).toContain(`<code>${policy.revision}</code>`);
      expect(html).toContain(`<code>${policy.digest}</code>`);
    }
    expect(html).not.toContain('<b>Mei');
    expect(html).toContain('<tr><th>reviewer</th><td>Li Lei</td></tr>');
    expect(html).toMatch(
      new RegExp(`sluice approve \\S+ --digest ${after.digest} --reviewer &#39;Li Lei&#39; --author`),
    );
    const approved = await sluice(['approve', changed.dir]);
    expect(approved.out).toContain(after.digest);
    const own = await sluice([
      'matrix',
      '--diff',
      p.dir,
      changed.dir,
      ...NARROW,
      '--author',
      'Li Lei',
      '--reviewer',
      'li lei',
      '--html',
      sheet,
    ]);
    expect([own.code, own.err]).toEqual([2, expect.stringContaining('does not review it')]);
    p.remove();
    changed.remove();
  },
);
