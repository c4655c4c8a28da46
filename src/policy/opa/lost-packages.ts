/**
 * Detects a fault of OPA's compiler. A reference by a variable (`data.lib[name].deny[x]`) becomes a search for a rule by its path. Where
 * one package has a partial object of that path (`deny[k] := v` in `lib.a`) and another package has it in its name (`lib.b.deny`), the
 * compiled policy does not find the rules of the second.
 */
import type { PolicyFile } from '../directory.ts';
import type { Plan } from './reads.ts';

/** a step of a path; null: by a variable */
type Step = string | null;

export interface LostPackage {
  readonly file: string;
  /** `data.lib.b.deny` */
  readonly name: string;
  /** `data.lib[_].deny` */
  readonly reference: string;
}

/** @returns the first package whose rules a reference of the plan does not find */
export const lostPackage = (plan: Plan, files: readonly PolicyFile[]): LostPackage | undefined => {
  const searched = searchesOf(plan);
  if (searched.length === 0) return undefined;
  for (const { path, text } of files) {
    const steps = packageOf(text);
    const found = searched.find(
      (s) => s.length <= steps.length && s.every((x, i) => x === null || x === steps[i]),
    );
    if (found !== undefined) return { file: path, name: nameOf(steps), reference: nameOf(found) };
  }
  return undefined;
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

const packageOf = (text: string): string[] => {
  const name = /^\s*package\s+((?:\w+|\.|\["[^"]*"\])+)/m.exec(text)?.[1] ?? '';
  return [...name.matchAll(/\["([^"]*)"\]|\w+/g)].map((m) => m[1] ?? m[0]);
};

const nameOf = (steps: readonly Step[]): string =>
  `data${steps.map((s) => (s === null ? '[_]' : /^\w+$/.test(s) ? `.${s}` : `["${s}"]`)).join('')}`;
