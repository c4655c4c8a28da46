/** `object.subset`, `graph.reachable_paths`, `json.marshal_with_options` */
import { SluiceError } from '../../errors.ts';
import { bytesOf, encode, type RegoObject, type RegoValue } from '../values.ts';
import { equal, sorted } from '../order.ts';
import { fail, items, object, string } from './operands.ts';
import type { Family } from './types.ts';

/** the value of a key of any type */
export const get = (o: RegoObject, key: RegoValue): RegoValue | undefined => {
  const direct = o.get(key);
  if (direct !== undefined || typeof key === 'string') return direct;
  for (const [k, v] of o) if (equal(k, key)) return v;
  return undefined;
};

export const has = (values: Iterable<RegoValue>, wanted: RegoValue): boolean => {
  for (const v of values) if (equal(v, wanted)) return true;
  return false;
};

const runsThrough = (whole: readonly RegoValue[], part: readonly RegoValue[]): boolean => {
  for (let start = 0; start + part.length <= whole.length; start++) {
    if (part.every((v, i) => equal(whole[start + i] as RegoValue, v))) return true;
  }
  return false;
};

/** @returns undefined if the two cannot be compared so; an array and a set only at the top */
const subset = (whole: RegoValue, part: RegoValue, top: boolean): boolean | undefined => {
  if (whole instanceof Map && part instanceof Map) {
    for (const [key, value] of part) {
      const other = get(whole, key);
      if (other === undefined || !(subset(other, value, false) ?? equal(other, value))) return false;
    }
    return true;
  }
  if (part instanceof Set && (whole instanceof Set || (top && Array.isArray(whole)))) {
    const all = [...whole];
    return [...part].every((v) => has(all, v));
  }
  return Array.isArray(whole) && Array.isArray(part) ? runsThrough(whole, part) : undefined;
};

/** paths grow as fast as the factorial of the number of nodes */
const MOST_STEPS = 200_000;

const edgesOf = (edges: RegoValue): readonly RegoValue[] =>
  Array.isArray(edges) ? edges : edges instanceof Set ? sorted(edges) : [];

/** What was reached on one path counts as reached on those tried after it, as OPA 1.19 has it. */
const reachablePaths = (graph: RegoObject, starts: readonly RegoValue[]): Set<RegoValue> => {
  // Paths are compared as wholes when they enter the set in the policy's memory.
  const out = new Set<RegoValue>();
  let steps = 0;
  const follow = (node: RegoValue, path: readonly RegoValue[], reached: RegoValue[]): void => {
    steps += 1;
    if (steps > MOST_STEPS) {
      throw new SluiceError(
        'policy_memory_exceeded',
        `graph.reachable_paths went more than ${MOST_STEPS} steps; the graph has too many paths.`,
      );
    }
    const edges = get(graph, node);
    if (edges === undefined) {
      out.add([...path]);
      return;
    }
    const here = [...path, node];
    const next = edgesOf(edges);
    if (next.length === 0) out.add(here);
    for (const neighbour of next) {
      if (has(reached, neighbour)) {
        out.add(here);
        continue;
      }
      reached.push(node);
      follow(neighbour, here, reached);
    }
  };
  for (const start of starts) {
    const edges = get(graph, start);
    if (edges === undefined) continue;
    const next = edgesOf(edges);
    if (next.length === 0) out.add([start]);
    for (const neighbour of next) follow(neighbour, [start], [start]);
  }
  return out;
};

/** the five characters that Go's JSON writer escapes besides what JSON demands */
export const escapeHtml = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

const byBytes = (a: string, b: string): number => Buffer.compare(bytesOf(a), bytesOf(b));

/** Go's json.Marshal of a value: keys in order, a set as an array in order */
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
        return fail('an option that is not known');
    }
  }
  if (!(pretty ?? implied)) return marshal(v);
  return prefix + write(v, indent, `\n${prefix}`, true);
};

export const objects: Family = {
  'object.subset': ([whole, part]) =>
    subset(whole as RegoValue, part as RegoValue, true) ?? fail('both must be objects, sets or arrays'),
  'graph.reachable_paths': ([graph, initial]) => reachablePaths(object(graph), items(initial)),
  'json.marshal_with_options': ([v, options]) => marshalWith(v as RegoValue, object(options)),
};
