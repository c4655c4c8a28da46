/** `json.marshal`, `json.unmarshal`, `json.is_valid`, `json.remove`, `json.filter` */
import { identity } from '../../order.ts';
import { parseJson, type RegoObject, type RegoValue } from '../../values.ts';
import { fail, isLimit, items, object, string } from '../operands.ts';
import type { Family } from '../types.ts';
import { marshal } from './objects.ts';
import { pathOf } from './patch.ts';

/** limit of Go's decoder */
const MAX_DEPTH = 10_000;

const tooDeep = (text: string): boolean => {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 92) i += 1;
      else if (c === 34) inString = false;
    } else if (c === 34) inString = true;
    else if (c === 91 || c === 123) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (c === 93 || c === 125) depth -= 1;
  }
  return false;
};

const unmarshal = (text: string): RegoValue => {
  if (text.length > MAX_DEPTH && tooDeep(text)) return fail('nested too deep');
  try {
    return parseJson(text);
  } catch (e) {
    if (isLimit(e)) throw e;
    return fail('not JSON');
  }
};

const isValid = (text: string): boolean => {
  if (text.length > MAX_DEPTH && tooDeep(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch (e) {
    if (isLimit(e)) throw e;
    return false;
  }
};

/** Paths as a tree. A child is null where a path ends; longer paths through it change nothing. */
interface Branch {
  readonly children: Map<string, Branch | null>;
}

const treeOf = (paths: RegoValue | undefined): Branch => {
  const root: Branch = { children: new Map() };
  for (const item of items(paths)) {
    const path = pathOf(item).map(identity);
    let branch = root;
    for (const [i, key] of path.entries()) {
      const next = branch.children.get(key);
      if (i === path.length - 1) branch.children.set(key, null);
      else if (next === null) break;
      else if (next === undefined) {
        const made: Branch = { children: new Map() };
        branch.children.set(key, made);
        branch = made;
      } else branch = next;
    }
  }
  return root;
};

const below = (branch: Branch, key: RegoValue): Branch | null | undefined =>
  branch.children.get(identity(key));

const removed = (v: RegoValue, branch: Branch | null | undefined): RegoValue | undefined => {
  if (branch === undefined) return v;
  if (branch === null) return undefined;
  if (v instanceof Map) {
    const out: RegoObject = new Map();
    for (const [key, item] of v) {
      const rest = removed(item, below(branch, key));
      if (rest !== undefined) out.set(key, rest);
    }
    return out;
  }
  if (v instanceof Set) return new Set([...v].flatMap((item) => removed(item, below(branch, item)) ?? []));
  if (!Array.isArray(v)) return v;
  const out: RegoValue[] = [];
  for (const [i, item] of v.entries()) {
    const rest = removed(item, below(branch, String(i)));
    if (rest !== undefined) out.push(rest);
  }
  return out;
};

const filtered = (v: RegoValue, branch: Branch | null): RegoValue | undefined => {
  if (branch === null) return v;
  if (v instanceof Map) {
    const out: RegoObject = new Map();
    for (const [key, item] of v) {
      const next = below(branch, key);
      const kept = next === undefined ? undefined : filtered(item, next);
      if (kept !== undefined) out.set(key, kept);
    }
    return out;
  }
  if (v instanceof Set) {
    const out = new Set<RegoValue>();
    for (const item of v) {
      const next = below(branch, item);
      const kept = next === undefined ? undefined : filtered(item, next);
      if (kept !== undefined) out.add(kept);
    }
    return out;
  }
  if (!Array.isArray(v)) return v;
  const out: RegoValue[] = [];
  for (const [i, item] of v.entries()) {
    const next = below(branch, String(i));
    const kept = next === undefined ? undefined : filtered(item, next);
    if (kept !== undefined) out.push(kept);
  }
  return out;
};

export const documents: Family = {
  'json.marshal': ([v]) => marshal(v as RegoValue),
  'json.unmarshal': ([v]) => unmarshal(string(v)),
  'json.is_valid': ([v]) => typeof v === 'string' && isValid(v),
  'json.remove': ([v, paths]) => removed(object(v), treeOf(paths)),
  'json.filter': ([v, paths]) => filtered(object(v), treeOf(paths)),
};
