/** `sluice new`: what it writes passes `sluice check` and `sluice test` at once, and nothing else of a file changes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { unifiedDiff } from '../../src/cli/policy/new/diff.ts';
import { memberText, outdented, withMember, withName } from '../../src/documents/insert.ts';
import { type Copy, copies, opa, sluice } from './support.ts';

vi.setConfig({ testTimeout: 300_000 });

const copy = copies();

/** every file by its path */
const filesOf = ({ dir }: Copy): Map<string, string> =>
  new Map(
    (
      readdirSync(dir, { recursive: true, withFileTypes: true }) as {
        name: string;
        parentPath: string;
        isFile(): boolean;
      }[]
    )
      .filter((f) => f.isFile())
      .map((f) => join(f.parentPath, f.name))
      .map((path) => [path.slice(dir.length + 1), readFileSync(path, 'utf8')]),
  );

describe.skipIf(opa === null)('sluice new', () => {
  test('adds a role, a purpose, a partner and a field one after the other; check and test pass after it', async () => {
    const p = copy();
    const before = filesOf(p);
    const run = async (...argv: string[]): Promise<string> => {
      const said = await sluice(['new', ...argv, '--policies', p.dir]);
      expect([argv, said.code, said.err]).toEqual([argv, 0, '']);
      return said.out;
    };
    await run('role', 'claims_clerk', '--like', 'adjuster', '--title', 'Clerk: claims');
    await run('purpose', 'warranty', '--like', 'after_sales', '--role', 'support', '--role', 'claims_clerk');
    await run('partner', 'north_couriers', '--like', 'swift_logistics', '--title', 'North Couriers');
    await run(
      'field',
      'customer',
      '/orders/*/note',
      '--category',
      'transaction',
      '--grade',
      '3',
      '--mask',
      'generic',
    );
    const after = filesOf(p);
    const added = [...after.keys()].filter((path) => !before.has(path)).sort();
    expect(added).toEqual([
      'scenarios/field_customer_orders_note.yaml',
      'scenarios/partner_north_couriers.yaml',
      'scenarios/purpose_warranty.yaml',
      'scenarios/role_claims_clerk.yaml',
    ]);
    // Lines are added; those of one list got a name more.
    for (const [path, text] of before) {
      const gone = unifiedDiff(path, text, after.get(path)!)
        .split('\n')
        .filter((l) => l.startsWith('-') && !l.startsWith('---'));
      expect(gone).toEqual(
        path === 'data/roles.yaml' ? ['-    purposes: [after_sales, order_processing]'] : [],
      );
    }
    expect(after.get('data/roles.yaml')).toContain('purposes: [claims, emergency, warranty]');
    const checked = await sluice(['check', p.dir, '--strict']);
    expect([checked.code, checked.out.split('\n').find((l) => /fault|warning:/.test(l))]).toEqual([
      0,
      expect.stringContaining('0 faults, 0 warnings'),
    ]);
    const tested = await sluice(['test', p.path('scenarios'), '--policies', p.dir]);
    expect([tested.code, tested.err]).toEqual([0, '']);
    const formatted = await sluice(['fmt', '--check', p.dir]);
    expect([formatted.code, formatted.out]).toEqual([0, '']);
    // The scenario keeps what it is about: it fails when the policy gives the new role less.
    p.change('data/roles.yaml', /(claims_clerk:[\s\S]*?)identity: use/, '$1identity: recognise');
    expect(
      (await sluice(['test', p.path('scenarios/role_claims_clerk.yaml'), '--policies', p.dir])).code,
    ).toBe(1);
  });

  test.each<[string, string[], RegExp, number]>([
    [
      'a name that exists',
      ['role', 'support', '--like', 'adjuster'],
      /"support" is in data\/roles\.yaml already/,
      2,
    ],
    [
      'a field that exists',
      ['field', 'customer', '/phone', '--category', 'contact', '--grade', '3'],
      /\/phone is in catalog\/customer\.yaml already/,
      2,
    ],
    [
      'a category that nobody knows',
      ['field', 'customer', '/x', '--category', 'contcat', '--grade', '2'],
      /no category "contcat"; did you mean "contact"/,
      2,
    ],
    [
      'a name that nobody knows',
      ['role', 'x', '--like', 'adjustor'],
      /no role "adjustor"; did you mean "adjuster"/,
      2,
    ],
    [
      'a resource that nobody knows',
      ['field', 'custmer', '/x', '--category', 'contact', '--grade', '3'],
      /no resource "custmer"; did you mean "customer"/,
      2,
    ],
    [
      'a category that nobody knows',
      ['field', 'customer', '/x', '--category', 'contct', '--grade', '3'],
      /did you mean "contact"/,
      2,
    ],
    ['what is no name', ['role', 'Big Boss', '--like', 'adjuster'], /A name is lower-case/, 2],
    [
      'a grade that is none',
      ['field', 'customer', '/x', '--category', 'contact', '--grade', '9'],
      /grade/,
      3,
    ],
    [
      'a mask that nobody knows',
      ['field', 'customer', '/x', '--category', 'contact', '--grade', '3', '--mask', 'nope'],
      /nope/,
      1,
    ],
  ])('refuses %s and writes nothing', async (_what, argv, said, code) => {
    const p = copy();
    const before = filesOf(p);
    const result = await sluice(['new', ...argv, '--policies', p.dir]);
    expect(`${result.out}${result.err}`).toMatch(said);
    expect(result.code).toBe(code);
    expect(filesOf(p)).toEqual(before);
  });

  test('--dry-run prints the difference and writes nothing', async () => {
    const p = copy();
    const before = filesOf(p);
    const said = await sluice([
      'new',
      'field',
      'employee',
      '/desk',
      '--category',
      'staff',
      '--grade',
      '1',
      '--policies',
      p.dir,
      '--dry-run',
    ]);
    expect(said.out).toContain('+  /desk: { category: staff, grade: 1 }\n');
    expect(said.out).toContain(
      `--- /dev/null\n+++ ${p.path('scenarios/field_employee_desk.yaml')}\n@@ -0,0 +1,`,
    );
    expect(filesOf(p)).toEqual(before);
    expect(existsSync(p.path('scenarios/field_employee_desk.yaml'))).toBe(false);
  });
});

describe('lines put into YAML', () => {
  const member = (text: string, lines = 'c: 3\n', path = ['top']): string =>
    withMember('f.yaml', text, path, lines);
  test.each([
    ['behind the last', 'top:\n  a: 1\n  b: 2 # two\n# end\n', 'top:\n  a: 1\n  b: 2 # two\n  c: 3\n# end\n'],
    [
      'before what follows',
      'top:\n    a:\n        x: 1\n\nnext: 1\n',
      'top:\n    a:\n        x: 1\n    c: 3\n\nnext: 1\n',
    ],
    ['into an empty mapping', 'top: {}\nnext: 1\n', 'top:\n  c: 3\nnext: 1\n'],
    [
      'behind a text of several lines',
      'top:\n  a: |\n    x\n\n    y\nnext: 1\n',
      'top:\n  a: |\n    x\n\n    y\n  c: 3\nnext: 1\n',
    ],
    ['without a line break at the end', 'top:\n  a: 1', 'top:\n  a: 1\n  c: 3\n'],
    [
      'behind a list',
      'top:\n  a:\n    - 1\n    - { b: 2 }\n',
      'top:\n  a:\n    - 1\n    - { b: 2 }\n  c: 3\n',
    ],
    ['behind nothing', 'top:\n  a:\n', 'top:\n  a:\n  c: 3\n'],
  ])('%s', (_what, text, wanted) => expect(member(text)).toBe(wanted));
  test('a name at the end of a list, in brackets or not', () => {
    expect(withName('f', 'a: [x, y] # c\n', ['a'], 'z')).toBe('a: [x, y, z] # c\n');
    expect(withName('f', 'a: []\n', ['a'], 'z')).toBe('a: [z]\n');
    expect(withName('f', 'a:\n  - x # c\n  - y\nb: 1\n', ['a'], 'z')).toBe(
      'a:\n  - x # c\n  - y\n  - z\nb: 1\n',
    );
  });
  test('a member is copied with its comments; one with an anchor is not', () => {
    const text = 'top:\n  a: # why\n    x: "&y" # because\n  b: &z { x: 1 }\n';
    expect(outdented(memberText('f', text, ['top', 'a']))).toBe('a: # why\n  x: "&y" # because\n');
    expect(() => memberText('f', text, ['top', 'b'])).toThrow(/anchors/);
  });
});

test('a difference, applied, gives the other text', () => {
  const line = fc.constantFrom('a', 'b', 'c', '');
  const text = fc.array(line, { maxLength: 30 }).map((l) => l.map((x) => `${x}\n`).join(''));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = before.split('\n').slice(0, -1);
      const out: string[] = [];
      let at = 0;
      for (const row of unifiedDiff('f', before, after).split('\n').slice(2, -1)) {
        const hunk = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(row);
        if (hunk) {
          const start = Number(hunk[2]) === 0 ? Number(hunk[1]) : Number(hunk[1]) - 1;
          out.push(...lines.slice(at, start));
          at = start;
        } else if (row.startsWith('+')) out.push(row.slice(1));
        else {
          expect(lines[at]).toBe(row.slice(1));
          if (row.startsWith(' ')) out.push(row.slice(1));
          at += 1;
        }
      }
      out.push(...lines.slice(at));
      expect(out.map((l) => `${l}\n`).join('')).toBe(after);
    }),
  );
});
