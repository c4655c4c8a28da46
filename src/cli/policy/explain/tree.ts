/** Rego files as parsed by OPA: their rules, positions and string constants. */
import type { PolicyFile } from '../../../policy/directory.ts';
import type { Opa } from '../../../policy/opa/opa.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { Staged } from '../stage.ts';

export interface TreeRule {
  /** `allow`, `by_status` */
  readonly name: string;
  readonly isDefault: boolean;
  /** the value of a default rule */
  readonly value: unknown;
  readonly row: number;
  readonly lastRow: number;
  readonly titled: boolean;
  /** string constants, each with its place */
  readonly texts: readonly RuleText[];
}

export interface RuleText {
  readonly text: string;
  readonly row: number;
  readonly col: number;
  /** true if it is in the head of the rule, not in the body */
  readonly head: boolean;
}

export interface Tree {
  /** relative to the policy's directory */
  readonly path: string;
  /** `sluice.consent` */
  readonly package: string;
  readonly packageRow: number;
  readonly rows: number;
  readonly rules: readonly TreeRule[];
  /** file name in OPA's traces: relative to the staging directory */
  readonly staged: string;
}

interface Node {
  readonly [member: string]: unknown;
}

/** Files that do not parse are skipped; the compiler reports their faults. */
export async function parseTrees(opa: Opa, staged: Staged, files: readonly PolicyFile[]): Promise<Tree[]> {
  const trees: Tree[] = [];
  for (let i = 0; i < files.length; i += 4)
    trees.push(
      ...(
        await Promise.all(
          files.slice(i, i + 4).map(async (file): Promise<Tree | null> => {
            const path = `${staged.rego}/${file.path}`;
            const run = await opa.run(['parse', '--format', 'json', '--json-include', 'locations', path], {
              cwd: staged.dir,
            });
            return run.code === 0 ? treeOf(file, path, JSON.parse(run.stdout) as Node) : null;
          }),
        )
      ).filter((t) => t !== null),
    );
  return trees;
}

function treeOf(file: PolicyFile, staged: string, module: Node): Tree {
  const { path, location } = module['package'] as {
    path: readonly { value: string }[];
    location?: { row: number };
  };
  return {
    path: file.path,
    staged,
    package: path
      .slice(1)
      .map((t) => t.value)
      .join('.'),
    packageRow: location?.row ?? 1,
    rows: file.text.split('\n').length,
    rules: ((module['rules'] ?? []) as readonly Node[]).map(ruleOf),
  };
}

function ruleOf(rule: Node): TreeRule {
  const head = rule['head'] as Node;
  const location = (rule['location'] ?? head['location']) as { row: number; text?: string };
  const ref = (head['ref'] ?? []) as readonly { type: string; value: unknown }[];
  const source = Buffer.from(location.text ?? '', 'base64').toString('utf8');
  const texts: RuleText[] = [];
  for (let branch: Node | undefined = rule; branch; branch = branch['else'] as Node | undefined) {
    collect(branch['head'], true, texts);
    collect(branch['body'], false, texts);
  }
  return {
    name: (head['name'] as string | undefined) ?? String(ref[0]?.value ?? ''),
    isDefault: rule['default'] === true,
    value: (head['value'] as { value?: unknown } | undefined)?.value,
    row: location.row,
    lastRow: location.row + source.split('\n').length - 1,
    titled: ((rule['annotations'] ?? []) as readonly { title?: string }[]).some((a) => Boolean(a.title)),
    texts,
  };
}

function collect(node: unknown, head: boolean, texts: RuleText[]): void {
  if (Array.isArray(node)) {
    for (const item of node) collect(item, head, texts);
    return;
  }
  if (!isObject(node)) return;
  const location = node['location'] as { row?: number; col?: number } | undefined;
  if (node['type'] === 'string' && typeof node['value'] === 'string' && location?.row !== undefined)
    texts.push({ text: node['value'], row: location.row, col: location.col ?? 1, head });
  for (const [key, value] of Object.entries(node))
    if (key !== 'location' && key !== 'annotations') collect(value, head, texts);
}
