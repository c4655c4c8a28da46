/** `object.subset`, `graph.reachable_paths`, `json.marshal_with_options` */
import { equal, identity, sorted } from '../../order.ts';
import { bytesOf, encode, type RegoObject, type RegoValue } from '../../values.ts';
import { fail, items, object, string, tooLarge } from '../operands.ts';
import type { Family } from '../types.ts';

/** the member of an object whose key is equal to `key`, of any type */
export const get = (o: RegoObject, key: RegoValue): RegoValue | undefined => {
  const direct = o.get(key);
  if (direct !== undefined || typeof key === 'string') return direct;
  for (const [k, v] of o) if (equal(k, key)) return v;
  return undefined;
};

/** whether `part` is a contiguous part of `whole` (Knuth-Morris-Pratt: linear time) */
const containsRun = (whole: readonly RegoValue[], part: readonly RegoValue[]): boolean => {
  if (part.length > whole.length) return false;
  if (part.length === 0) return true;
  const wanted = part.map(identity);
  const back = [0];
  for (let i = 1, k = 0; i < wanted.length; i++) {
    while (k > 0 && wanted[i] !== wanted[k]) k = back[k - 1] as number;
    if (wanted[i] === wanted[k]) k += 1;
    back.push(k);
  }
  let matched = 0;
  for (const item of whole.map(identity)) {
    while (matched > 0 && item !== wanted[matched]) matched = back[matched - 1] as number;
    if (item === wanted[matched]) matched += 1;
    if (matched === wanted.length) return true;
  }
  return false;
};

/** @returns undefined if the types cannot be compared. An array and a set can be compared at the top only. */
const subset = (whole: RegoValue, part: RegoValue, top: boolean): boolean | undefined => {
  if (whole instanceof Map && part instanceof Map) {
    for (const [key, value] of part) {
      const other = get(whole, key);
      if (other === undefined || !(subset(other, value, false) ?? equal(other, value))) return false;
    }
    return true;
  }
  if (part instanceof Set && (whole instanceof Set || (top && Array.isArray(whole)))) {
    const all = new Set([...whole].map(identity));
    return [...part].every((v) => all.has(identity(v)));
  }
  return Array.isArray(whole) && Array.isArray(part) ? containsRun(whole, part) : undefined;
};

/** limit for the nodes of all paths together: a graph can have far more paths than nodes */
const MAX_NODES = 1_000_000;
const MAX_STEPS = 200_000;

const edgesOf = (edges: RegoValue): readonly RegoValue[] =>
  Array.isArray(edges) ? edges : edges instanceof Set ? sorted(edges) : [];

/** As in OPA 1.19, a node that one path reached counts as reached for the paths tried after it. */
const reachablePaths = (graph: RegoObject, starts: readonly RegoValue[]): Set<RegoValue> => {
  const edgesByNode = new Map([...graph].map(([node, edges]) => [identity(node), edgesOf(edges)]));
  // Duplicates are removed when the set is written to the module's memory.
  const out = new Set<RegoValue>();
  const path: RegoValue[] = [];
  let nodes = 0;
  let steps = 0;
  const found = (): void => {
    nodes += path.length;
    if (nodes > MAX_NODES) tooLarge(`graph.reachable_paths found paths of more than ${MAX_NODES} nodes`);
    out.add([...path]);
  };
  const follow = (node: RegoValue, reached: Set<string>): void => {
    steps += 1;
    if (steps > MAX_STEPS) tooLarge(`graph.reachable_paths went more than ${MAX_STEPS} steps`);
    const name = identity(node);
    const next = edgesByNode.get(name);
    if (next === undefined) {
      found();
      return;
    }
    path.push(node);
    let ended = next.length === 0;
    for (const neighbour of next) {
      if (reached.has(identity(neighbour))) {
        ended = true;
        continue;
      }
      reached.add(name);
      follow(neighbour, reached);
    }
    if (ended) found();
    path.pop();
  };
  for (const start of starts) {
    const name = identity(start);
    const next = edgesByNode.get(name);
    if (next === undefined) continue;
    path.push(start);
    if (next.length === 0) found();
    for (const neighbour of next) follow(neighbour, new Set([name]));
    path.pop();
  }
  return out;
};

/** the five characters that Go's JSON writer escapes besides those that JSON requires */
const escapeHtml = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

const byBytes = (a: string, b: string): number => Buffer.compare(bytesOf(a), bytesOf(b));

/** Go's json.Marshal of a value: keys sorted, a set as a sorted array */
export const marshal = (v: RegoValue): string => write(v, '', '\n', false);

const write = (v: RegoValue, indent: string, line: string, pretty: boolean): string => {
  if (v instanceof Set) return write(sorted(v), indent, line, pretty);
  const inner = pretty ? line + indent : '';
  const end = pretty ? line : '';
  if (Array.isArray(v)) {
    if (v.length === 0) return '[]';
    return `[${inner}${v.map((item) => write(item, indent, inner, pretty)).join(`,${inner}`)}${end}]`;
  }
  if (!(v instanceof Map)) return escapeHtml(encode(v));
  if (v.size === 0) return '{}';
  const keyed = [...v].map(([key, item]) => [typeof key === 'string' ? key : marshal(key), item] as const);
  const members = keyed
    .sort(([a], [b]) => byBytes(a, b))
    .map(
      ([key, item]) => `${escapeHtml(encode(key))}:${pretty ? ' ' : ''}${write(item, indent, inner, pretty)}`,
    );
  return `{${inner}${members.join(`,${inner}`)}${end}}`;
};

const marshalWith = (v: RegoValue, options: RegoObject): string => {
  let prefix = '';
  let indent = '\t';
  let implied = false;
  let pretty: boolean | undefined;
  for (const [key, value] of options) {
    switch (key) {
      case 'prefix':
        prefix = string(value);
        implied = true;
        break;
      case 'indent':
        indent = string(value);
        implied = true;
        break;
      case 'pretty':
        pretty = typeof value === 'boolean' ? value : fail('pretty must be a boolean');
        break;
      default:
        return fail('unknown option');
    }
  }
  if (!(pretty ?? implied)) return marshal(v);
  return prefix + write(v, indent, `\n${prefix}`, true);
};

export const objects: Family = {
  // Only called for an empty list; the module computes all others.
  'object.union_n': ([v]) => (items(v).length === 0 ? new Map() : fail('not empty')),
  'object.subset': ([whole, part]) =>
    subset(whole as RegoValue, part as RegoValue, true) ?? fail('both must be objects, sets or arrays'),
  'graph.reachable_paths': ([graph, initial]) => reachablePaths(object(graph), items(initial)),
  'json.marshal_with_options': ([v, options]) => marshalWith(v as RegoValue, object(options)),
};
