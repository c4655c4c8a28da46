/** OPA's full trace of one evaluation, as a tree of queries. */
import { isObject } from '../../../documents/yaml.ts';

/** The value of a term; undefined if it has none (an unbound variable, a call). */
export type Bindings = ReadonlyMap<string, unknown>;

/** A reference in a rule: names, and variables that are still to be looked up. */
export type Reference = readonly ({ readonly name: string | number } | { readonly variable: string })[];

export interface Evaluated {
  readonly row: number;
  /** below `data`, without calls of functions */
  readonly references: readonly Reference[];
  /** position in the trace */
  readonly at: number;
  /** variables bound before it */
  readonly bindings: () => Bindings;
}

export interface Query {
  readonly id: number;
  readonly parent: number;
  /** the rule or expression that started the query */
  readonly file: string;
  readonly row: number;
  readonly isRule: boolean;
  readonly at: number;
  readonly evaluated: Evaluated[];
  /** the variables of each answer */
  readonly exits: { readonly at: number; readonly bindings: Bindings; readonly given: unknown }[];
}

interface Event {
  readonly Op: string;
  readonly Node: unknown;
  readonly Location?: { readonly file: string; readonly row: number } | null;
  readonly QueryID: number;
  readonly ParentID: number;
  readonly Locals?:
    | readonly { readonly name: string; readonly type: string; readonly value: unknown }[]
    | null;
}

export function queriesOf(explanation: unknown): ReadonlyMap<number, Query> {
  const queries = new Map<number, Query>();
  for (const [at, event] of (explanation as readonly Event[]).entries()) {
    const { Op, QueryID, ParentID, Location, Node } = event;
    let query = queries.get(QueryID);
    if (query === undefined) {
      query = {
        id: QueryID,
        parent: ParentID,
        file: Location?.file ?? '',
        row: Location?.row ?? 0,
        isRule: isObject(Node) && 'head' in Node,
        at,
        evaluated: [],
        exits: [],
      };
      queries.set(QueryID, query);
    }
    const bindings = (): Bindings => new Map((event.Locals ?? []).map((l) => [l.name, plain(l)]));
    if (Op === 'Eval')
      query.evaluated.push({ row: Location?.row ?? 0, references: referencesOf(Node), at, bindings });
    if (Op === 'Exit') {
      const head = isObject(Node) ? Node['head'] : undefined;
      const known = bindings();
      // A member of a set is a key; a member of an object is both key and value.
      const given = isObject(head) ? [plain(head['key'], known), plain(head['value'], known)] : [];
      query.exits.push({ at, bindings: known, given });
    }
  }
  return queries;
}

/** The value of an AST term, as far as its variables are bound. */
function plain(term: unknown, known?: Bindings): unknown {
  if (!isObject(term)) return undefined;
  const { type, value } = term;
  if (type === 'var') return known?.get(String(value));
  if (type === 'array' || type === 'set')
    return Array.isArray(value) ? value.map((v) => plain(v, known)) : undefined;
  if (type === 'object')
    return Array.isArray(value)
      ? Object.fromEntries(
          (value as [unknown, unknown][]).map(([k, v]) => [String(plain(k, known)), plain(v, known)]),
        )
      : undefined;
  return type === 'string' || type === 'number' || type === 'boolean' || type === 'null' ? value : undefined;
}

function referencesOf(node: unknown): Reference[] {
  const found: Reference[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    if (!isObject(value)) return;
    if (value['type'] === 'ref' && Array.isArray(value['value'])) {
      const [root, ...steps] = value['value'] as { type: string; value: unknown }[];
      if (root?.type === 'var' && root.value === 'data')
        found.push(
          steps.map((s) =>
            s.type === 'var' ? { variable: String(s.value) } : { name: s.value as string | number },
          ),
        );
      return;
    }
    for (const [key, inner] of Object.entries(value)) if (key !== 'location') visit(inner);
  };
  const terms = isObject(node) ? node['terms'] : undefined;
  // The first term is the called function.
  visit(Array.isArray(terms) ? terms.slice(1) : terms);
  return found;
}

/** True if a text occurs anywhere in a value. */
export function holds(value: unknown, text: string): boolean {
  if (value === text) return true;
  if (Array.isArray(value)) return value.some((v) => holds(v, text));
  return isObject(value) && Object.entries(value).some(([k, v]) => k === text || holds(v, text));
}
