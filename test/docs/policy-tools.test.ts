/** What docs/policy-tools.md shows is what comes: its console examples are run, its tables compared with the code. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RULES } from '../../src/cli/policy/check/finding-formats.ts';
import { draft } from '../support/decision-records.ts';
import { openJournal } from '../support/journals.ts';
import { Copy, opa, ROOT, sluice } from '../cli/support.ts';

vi.setConfig({ testTimeout: 180_000 });

const page = readFileSync(join(ROOT, 'docs/policy-tools.md'), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'sluice-tools-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** `$ command` and the lines that follow, in the order of the page */
const examples = [...page.matchAll(/^```console\n([\s\S]*?)^```/gm)].flatMap((block) =>
  (block[1] ?? '')
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = '', ...lines] = text.split('\n');
      return { command, output: lines.join('\n') };
    }),
);

describe.skipIf(opa === null)('docs/policy-tools.md', () => {
  const copyAs = (name: string): Copy => new Copy(join(ROOT, 'policies'), join(dir, name));
  copyAs('policies');
  const broken = copyAs('broken');
  broken.change('catalog/customer.yaml', 'mask: national_id }', 'mask: nationl_id }');
  broken.change('data/roles.yaml', 'purposes: [marketing]', 'purposes: [marketting]');
  broken.change('scenarios/refusals.yaml', 'Sluice-Purpose: marketing', 'Sluice-Purpose: marketting');
  broken.change('sluice/recipient/recipient.rego', 'input.context.recipient', 'input.contxt.recipient');

  beforeAll(async () => {
    const journal = await openJournal(join(dir, 'quiet'));
    const at = { timestamp: new Date().toISOString(), outcome: 'modified' } as const;
    for (const purpose of ['after_sales', 'order_processing'])
      await journal.append({
        ...draft(1, { ...at, purpose }),
        disclosure: {
          ...draft().disclosure!,
          by_class: { 'contact/3': { mask: 1 }, 'identity/3': { mask: 1 }, 'transaction/2': { disclose: 4 } },
        },
      });
    await journal.close();
  });

  test('has examples', () => expect(examples.length).toBeGreaterThan(0));
  test.each(examples)('$command', async ({ command, output }) => {
    const [program, ...argv] = command.match(/'[^']*'|\S+/g)!.map((a) => a.replace(/^'(.*)'$/, '$1'));
    expect(program).toBe('sluice');
    const said = await sluice(argv, { cwd: dir });
    // digests change with every change of the policy
    const undigested = (text: string): string => text.replace(/\b[0-9a-f]{32,64}\b/g, 'digest');
    const lines = undigested(`${said.out}${said.err}`);
    // `…` on a line of its own stands for lines that are left out
    const wanted = undigested(output)
      .split(/^…\n/m)
      .map((part) => part.trim());
    for (const part of wanted) expect(lines).toContain(part);
    if (wanted.length === 1) expect(lines).toBe(undigested(output));
  });
});

test('the table of rules is that of the code', () => {
  const rows = [...page.matchAll(/^\| `([a-z]+)` \| (.*) \|$/gm)].map((m) => [m[1], m[2]]);
  expect(rows.filter(([rule]) => rule! in RULES)).toEqual(Object.entries(RULES));
});

test('the schemas use no keyword that yaml-language-server lacks (those of JSON Schema draft 7)', () => {
  const newer = /"(prefixItems|unevaluated\w+|dependent\w+|\$dynamic\w+|\$anchor|m(in|ax)Contains)"/;
  for (const file of readdirSync(join(ROOT, 'schemas')))
    expect([file, newer.exec(readFileSync(join(ROOT, 'schemas', file), 'utf8'))?.[0]]).toEqual([
      file,
      undefined,
    ]);
});
