/**
 * Refuses rules that a fault of OPA's compiler loses. A reference by a variable (`data.lib[name].deny[x]`) becomes a search for a rule by its path.
 * Where a partial object has that path (`deny[k] := v` in `lib.a`), the compiled policy does not find rules whose paths go on from there:
 * those of a package `lib.b.deny`, and `deny.x := 1` in `lib.b`. They are in no plan, so they are looked for in the syntax trees.
 */
import { join } from 'node:path';
import { SluiceError } from '../../errors.ts';
import type { PolicyDirectory, PolicyFile } from '../directory.ts';
import type { Opa } from './opa.ts';
import type { Plan } from './reads.ts';

/** a step of a path; null: by a variable */
type Step = string | null;

interface Term {
  readonly type: string;
  readonly value: unknown;
}
interface Parsed {
  readonly package?: { readonly path?: readonly Term[] };
  readonly rules?: readonly { readonly head?: { readonly ref?: readonly Term[] } }[];
}

/** The function of OPA's library by which a module searches; a module that does not search does not name it. */
const SEARCH = 'opa_mapping_lookup';

/** A module without searches loses nothing: then no plan is needed. */
export const searches = (wasm: Uint8Array): boolean =>
  Buffer.from(wasm.buffer, wasm.byteOffset, wasm.length).includes(SEARCH);

/**
 * @param cwd where `files` are
 * @throws SluiceError `policy_compile_failed` for the first rule that a search of the plan does not find
 */
export const refuseLostRules = async (
  opa: Opa,
  plan: Plan,
  { dir }: Pick<PolicyDirectory, 'dir'>,
  files: readonly PolicyFile[],
  cwd: string,
): Promise<void> => {
  const asked = searchesOf(plan);
  // Mostly: OPA parses one file a run.
  if (asked.length === 0) return;
  for (const { path } of files)
    for (const rule of await pathsIn(opa, path, cwd)) {
      const found = asked.find(
        (s) => s.length < rule.length && s.every((x, i) => x === null || x === rule[i]),
      );
      if (found === undefined) continue;
      const file = join(dir, path);
      throw new SluiceError('policy_compile_failed', {
        message: `${file}: OPA compiles ${nameOf(found)} so that it does not find the rule ${nameOf(rule)}, since a rule with keys has the path ${nameOf(found)}, too. Rename one of them.`,
        at: { file },
      });
    }
};

/** The paths of a file's rules, each up to the first variable in it. */
const pathsIn = async (opa: Opa, path: string, cwd: string): Promise<readonly string[][]> => {
  const run = await opa.run(['parse', '--format', 'json', path], { cwd });
  if (run.code !== 0)
    throw new SluiceError(
      'policy_compile_failed',
      `OPA has compiled ${path} and cannot parse it. Try again.`,
    );
  const tree = JSON.parse(run.stdout) as Parsed;
  const inPackage = (tree.package?.path ?? []).slice(1).map(({ value }) => String(value));
  return (tree.rules ?? []).map(({ head }) => {
    const [name, ...ref] = head?.ref ?? [];
    const end = ref.findIndex(({ type }) => type !== 'string');
    const constant = end < 0 ? ref : ref.slice(0, end);
    return [
      ...inPackage,
      ...[name, ...constant].flatMap((term) => (term === undefined ? [] : String(term.value))),
    ];
  });
};

const searchesOf = (plan: Plan): Step[][] => {
  const strings = plan.static.strings ?? [];
  const found: Step[][] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { type, stmt } = value as { readonly type?: unknown; readonly stmt?: { readonly path?: unknown } };
    if (type === 'CallDynamicStmt' && Array.isArray(stmt?.path)) {
      const steps = stmt.path.map(
        ({ type: kind, value: index }: { type: string; value: number }): Step =>
          kind === 'string_index' ? (strings[index]?.value ?? null) : null,
      );
      found.push(steps.slice(1)); // without the generation of the rules, `g0`
    }
    for (const member of Object.values(value)) visit(member);
  };
  visit(plan.funcs);
  return found;
};

const nameOf = (steps: readonly Step[]): string =>
  `data${steps.map((s) => (s === null ? '[_]' : /^\w+$/.test(s) ? `.${s}` : `["${s}"]`)).join('')}`;
