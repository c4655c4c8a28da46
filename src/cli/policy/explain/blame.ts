/**
 * Finds the rule that gave a reason, and the line of data that it depends on, in OPA's trace of the evaluation. It works for any
 * policy. The rule is the first that yields an answer with the code and has the code in its text. A code that is
 * composed (`tier_2`) belongs to the first rule that yields an answer with it. The data is what that rule, its
 * callees and its callers looked up, limited to what concerns this class or gives this treatment.
 */
import type { PolicyFile } from '../../../policy/directory.ts';
import { isObject, readYaml, type YamlDocument } from '../../../documents/yaml.ts';
import { type Bindings, holds, type Query, type Reference } from './trace.ts';
import type { Tree, TreeRule } from './tree.ts';

export interface RulePlace {
  readonly file: string;
  readonly line: number;
  /** `sluice.treatment._role` */
  readonly rule: string;
}

export interface DataPlace {
  readonly file: string;
  readonly line: number;
  /** `roles.support.categories.identity` */
  readonly path: string;
  /** undefined: the member is missing, and that decided; the line is that of its parent */
  readonly value: unknown;
}

export interface Blame {
  /** null: not found in the trace */
  readonly rule: RulePlace | null;
  readonly data: readonly DataPlace[];
}

/** The subject of a reason: names that the deciding data may hold, and the result. */
export interface About {
  readonly words: readonly string[];
  readonly outcome: string | null;
}

type Path = readonly (string | number)[];

const SHOWN = 3;
/** callers of a rule whose own look-ups count */
const CALLERS = 2;
const DEPTH = 5;

export class Blamer {
  readonly #trees: ReadonlyMap<string, Tree>;
  readonly #virtual: ReadonlySet<string>;
  readonly #data: unknown;
  readonly #files: readonly YamlDocument[];

  constructor(trees: readonly Tree[], data: unknown, files: readonly PolicyFile[]) {
    this.#trees = new Map(trees.map((t) => [t.staged, t]));
    this.#virtual = new Set(trees.flatMap((t) => t.rules.map((r) => `${t.package}.${r.name}`)));
    this.#data = data;
    this.#files = files.flatMap((f) => {
      const read = readYaml(f.path, f.text);
      return 'document' in read ? [read.document] : [];
    });
  }

  blame(queries: ReadonlyMap<number, Query>, code: string, about: About): Blame {
    const producer = this.#producer(queries, code);
    if (producer === null) return { rule: null, data: [] };
    const { query, row } = producer;
    const tree = this.#trees.get(query.file);
    const doc = this.#docOf(query);
    return {
      rule: tree === undefined || doc === null ? null : { file: tree.path, line: row, rule: doc },
      data: this.#dataOf(queries, producer, about),
    };
  }

  #ruleOf(query: Query): TreeRule | null {
    return (
      this.#trees.get(query.file)?.rules.find((r) => query.row >= r.row && query.row <= r.lastRow) ?? null
    );
  }

  /** `sluice.treatment._role` */
  #docOf(query: Query): string | null {
    const rule = this.#ruleOf(query);
    return rule === null ? null : `${this.#trees.get(query.file)!.package}.${rule.name}`;
  }

  #producer(
    queries: ReadonlyMap<number, Query>,
    code: string,
  ): { readonly query: Query; readonly row: number; readonly whole: boolean } | null {
    const exits = [...queries.values()]
      .filter((q) => q.isRule)
      .flatMap((query) => query.exits.map((exit) => ({ query, exit })))
      .filter(({ exit }) => holds(exit.given, code))
      .sort((a, b) => a.exit.at - b.exit.at);
    for (const { query } of exits) {
      const text = this.#ruleOf(query)?.texts.find((t) => t.text === code);
      if (text !== undefined) return { query, row: text.row, whole: text.head };
    }
    const first = exits[0]?.query;
    return first === undefined ? null : { query: first, row: first.row, whole: true };
  }

  #dataOf(
    queries: ReadonlyMap<number, Query>,
    { query, row, whole }: { readonly query: Query; readonly row: number; readonly whole: boolean },
    { words, outcome }: About,
  ): DataPlace[] {
    const found = new Map<string, { path: Path; near: number }>();
    const seen = new Set<number>();
    const add = (path: Path, near: number): void => {
      const key = JSON.stringify(path);
      if ((found.get(key)?.near ?? -1) < near) found.set(key, { path, near });
    };
    const cone = (
      q: Query,
      near: number,
      depth: number,
      only?: (row: number, at: number) => boolean,
    ): void => {
      if (depth > DEPTH || (only === undefined && seen.has(q.id))) return;
      if (only === undefined) seen.add(q.id);
      for (const path of this.#lookups(q, queries, only)) add(path, near);
      for (const child of queries.values())
        if (child.parent === q.id && (only === undefined || only(rowBefore(q, child.at), child.at)))
          cone(child, Math.max(0, near - 1), depth + 1);
    };
    // A code in the body of a rule concerns its own line; a code in the head concerns the entire rule.
    cone(query, 3, 0, whole ? undefined : (r) => r === row);
    const isDefault = this.#ruleOf(query)?.isDefault === true;
    // A default applies because no other rule of its name did, so the look-ups of those rules decided.
    if (isDefault)
      for (const other of queries.values())
        if (other !== query && other.parent === query.parent && this.#docOf(other) === this.#docOf(query))
          cone(other, 3, 0);
    let caller = queries.get(query.parent);
    for (let n = 0; n < CALLERS && caller !== undefined; n += 1) {
      for (const path of this.#lookups(caller, queries)) add(path, 1);
      caller = queries.get(caller.parent);
    }
    const scored = [...found.values()]
      .map(({ path, near }) => {
        const value = at(this.#data, path);
        const names = path.map(String);
        const fits = words.filter((w) => names.includes(w)).length;
        return {
          path,
          value,
          score:
            fits * 4 + (outcome !== null && value === outcome ? 4 : 0) + (isObject(value) ? -3 : 0) + near,
          relevant: fits > 0 || (outcome !== null && value === outcome),
        };
      })
      .filter(({ value }) => value !== undefined);
    const chosen = scored.some((s) => s.relevant && !isObject(s.value))
      ? scored.filter((s) => s.relevant && !isObject(s.value))
      : scored.filter((s) => !isObject(s.value) && s.score >= 2);
    if (chosen.every((c) => !c.relevant) && isDefault) {
      const absent = this.#absent([...found.values()], words);
      if (absent.length > 0) return absent;
    }
    const best = Math.max(...chosen.map((c) => c.score), 0);
    return chosen
      .filter((c) => c.score >= best - 2)
      .sort((a, b) => b.score - a.score)
      .slice(0, SHOWN)
      .flatMap(({ path, value }) => this.#place(path, value));
  }

  /** The line at which a missing name would be among others. */
  #absent(found: readonly { readonly path: Path }[], [word]: readonly string[]): DataPlace[] {
    if (word === undefined) return [];
    const holders = new Map<string, Path>();
    for (const { path } of found)
      for (let n = path.length; n > 1; n -= 1) {
        const holder = path.slice(0, n);
        const value = at(this.#data, holder);
        // Among siblings of the same kind: categories of a role, not settings of a purpose.
        if (isObject(value) && !Object.hasOwn(value, word) && this.#named(holder.at(-1)).has(word))
          holders.set(holder.join('.'), holder);
      }
    return [...holders.values()]
      .slice(0, SHOWN)
      .flatMap((holder) => this.#place(holder, undefined).map((p) => ({ ...p, path: `${p.path}.${word}` })));
  }

  /** every key anywhere below a member of this name */
  #named(name: string | number | undefined): ReadonlySet<string> {
    const keys = new Set<string>();
    const visit = (value: unknown, under: string): void => {
      if (!isObject(value)) return;
      for (const [key, inner] of Object.entries(value)) {
        if (under === String(name)) keys.add(key);
        visit(inner, key);
      }
    };
    visit(this.#data, '');
    return keys;
  }

  /** Paths of base documents that a query looked up, directly or through a rule that represents one. */
  #lookups(
    query: Query,
    queries: ReadonlyMap<number, Query>,
    only?: (row: number, at: number) => boolean,
    depth = 0,
  ): Path[] {
    if (depth > DEPTH) return [];
    const paths: Path[] = [];
    for (const { references, row, at: position, bindings } of query.evaluated) {
      if (only !== undefined && !only(row, position)) continue;
      for (const reference of references)
        for (const known of query.exits.length > 0 ? query.exits.map((e) => e.bindings) : [bindings()]) {
          const path = resolved(reference, known);
          const doc = this.#virtualPrefix(path);
          if (doc === null) paths.push(path);
          else paths.push(...this.#behind(doc, path.slice(doc.length), queries, depth + 1));
        }
    }
    return paths;
  }

  #virtualPrefix(path: Path): Path | null {
    for (let n = path.length; n > 0; n -= 1)
      if (this.#virtual.has(path.slice(0, n).join('.'))) return path.slice(0, n);
    return null;
  }

  /** What a rule looked up; if it names only a base document, the relevant part of it. */
  #behind(doc: Path, tail: Path, queries: ReadonlyMap<number, Query>, depth: number): Path[] {
    const name = doc.join('.');
    const own = [...queries.values()].filter((q) => q.isRule && this.#docOf(q) === name);
    const paths = own.flatMap((q) => this.#lookups(q, queries, undefined, depth));
    if (tail.length === 0) return paths;
    const deeper = paths.map((p) => [...p, ...tail]).filter((p) => at(this.#data, p) !== undefined);
    return deeper.length > 0 ? deeper : paths;
  }

  #place(path: Path, value: unknown): DataPlace[] {
    for (const document of this.#files) {
      if (at(document.value, path) === undefined) continue;
      const { line } = document.fault(path, '');
      return [{ file: document.file, line: line ?? 1, path: path.join('.'), value }];
    }
    return [];
  }
}

/** row of the expression that started a child query */
function rowBefore(query: Query, position: number): number {
  let row = query.row;
  for (const e of query.evaluated) {
    if (e.at > position) break;
    row = e.row;
  }
  return row;
}

/** as far as its variables are bound */
function resolved(reference: Reference, bindings: Bindings): Path {
  const path: (string | number)[] = [];
  for (const step of reference) {
    const value = 'name' in step ? step.name : bindings.get(step.variable);
    if (typeof value !== 'string' && typeof value !== 'number') break;
    path.push(value);
  }
  return path;
}

function at(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (Array.isArray(here)) here = here[Number(step)];
    else if (isObject(here) && Object.hasOwn(here, String(step))) here = here[String(step)];
    else return undefined;
  }
  return here;
}
