/** Checks the style rules of docs/policy-guide.md. Violations that deny access are faults, others are warnings. */
import { dirname, join } from 'node:path';
import type { PolicyDirectory } from '../../../policy/directory.ts';
import type { Opa } from '../../../policy/opa/opa.ts';
import type { Finding } from './findings.ts';
import type { Staged } from '../stage.ts';
import type { Tree } from '../explain/tree.ts';

const LONGEST_RULE = 30;
const LONGEST_FILE = 500;

export function styleFindings(trees: readonly Tree[], files: PolicyDirectory): Finding[] {
  const found: Finding[] = [];
  const say = (
    tree: Tree,
    row: number,
    message: string,
    severity: Finding['severity'] = 'warning',
    rule = 'style',
  ): void => {
    found.push({ file: join(files.dir, tree.path), line: row, column: 1, message, severity, rule });
  };
  const defaults = new Set<string>();
  const titled = new Set<string>();
  for (const tree of trees)
    for (const rule of tree.rules) {
      const key = `${tree.package}.${rule.name}`;
      if (rule.isDefault && rule.value === false) defaults.add(key);
      if (rule.titled) titled.add(key);
    }
  const told = new Set<string>();
  for (const tree of trees) {
    const isTest = tree.path.endsWith('_test.rego');
    const home = dirname(tree.path) === '.' ? '' : dirname(tree.path).replaceAll('/', '.');
    if (!isTest && tree.package !== home && home !== '')
      say(
        tree,
        tree.packageRow,
        `package ${tree.package} is in the directory of package ${home}: move the file, or rename the package`,
      );
    if (isTest && !tree.package.endsWith('_test'))
      say(tree, tree.packageRow, `a file of tests has a package of its own: name it ${tree.package}_test`);
    if (tree.rows > LONGEST_FILE)
      say(tree, 1, `the file has ${tree.rows} lines; split it into files of at most ${LONGEST_FILE}`);
    for (const rule of tree.rules) {
      const key = `${tree.package}.${rule.name}`;
      const first = !told.has(key);
      told.add(key);
      if (rule.lastRow - rule.row > LONGEST_RULE)
        say(tree, rule.row, `${rule.name}: the rule has more than ${LONGEST_RULE} lines; split it`);
      if (!first || isTest) continue;
      if (!/^_?[a-z][a-z0-9_]*$/.test(rule.name))
        say(tree, rule.row, `${rule.name}: write the name in snake_case`);
      if (/^_?(get|list)_/.test(rule.name))
        say(tree, rule.row, `${rule.name}: remove "get_" or "list_" from the name`);
      if (rule.name === 'allow' && !defaults.has(key))
        say(
          tree,
          rule.row,
          'allow has no `default allow := false`: if no rule allows, `allow` is undefined, and so is `allow == false`',
          'fault',
          'default',
        );
      if (!rule.name.startsWith('_') && !titled.has(key))
        say(tree, rule.row, `${rule.name}: the rule is public and has no title (# METADATA)`);
    }
  }
  return found;
}

/** Files that `opa fmt` would change. */
export async function unformatted(opa: Opa, staged: Staged): Promise<Finding[]> {
  const run = await opa.run(['fmt', '--list', staged.rego], { cwd: staged.dir });
  return run.stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((file) => ({
      file: staged.original(file.trim()),
      line: 1,
      column: 1,
      message: 'not formatted: run `opa fmt --write`',
      severity: 'warning',
      rule: 'format',
    }));
}
