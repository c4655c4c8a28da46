/** `json.patch` (RFC 6902) over Rego values: paths may be arrays of keys of any type, and may pass through sets. */
import { equal } from '../../order.ts';
import { NumberText, type RegoObject, type RegoValue } from '../../values.ts';
import { array, fail, object, string } from '../operands.ts';
import type { Family } from '../types.ts';
import { get } from './objects.ts';

type Path = readonly RegoValue[];

/** leading slashes are ignored: `a/b` and `//a/b` mean `/a/b` */
export const pathOf = (v: RegoValue): Path => {
  if (Array.isArray(v)) return v;
  const text = string(v);
  if (text === '') return [];
  return text
    .replace(/^\/+/, '')
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
};

const index = (key: RegoValue, length: number): number => {
  if (key === '-') return length;
  const text = typeof key === 'number' ? String(key) : key instanceof NumberText ? key.text : string(key);
  if (!/^[+-]?\d+$/.test(text) || (text !== '0' && text.startsWith('0'))) return fail('not an index');
  return Number(text);
};

/** undefined means that there is no value; null is a value */
const some = (v: RegoValue | undefined): RegoValue => (v === undefined ? fail('there is no such value') : v);

/** the element of an array, or of a set equal to the key, or the value of an object's key */
const child = (v: RegoValue, key: RegoValue): RegoValue => {
  if (v instanceof Map) return some(get(v, key));
  if (v instanceof Set) {
    for (const item of v) if (equal(item, key)) return item;
    return fail('no such element');
  }
  const list = array(v);
  return some(list[index(key, list.length)]);
};

const at = (v: RegoValue, path: Path): RegoValue => path.reduce(child, v);

const without = (v: RegoObject, key: RegoValue): RegoObject =>
  new Map([...v].filter(([k]) => !equal(k, key)));

const insertHere = (v: RegoValue, key: RegoValue, value: RegoValue): RegoValue => {
  if (v instanceof Map) return without(v, key).set(key, value);
  if (v instanceof Set) {
    if (!equal(key, value)) return fail('the key in a set is the value itself');
    return new Set([...v].filter((item) => !equal(item, value))).add(value);
  }
  const list = array(v);
  const i = index(key, list.length);
  return i < 0 || i > list.length ? fail('the index is out of bounds') : list.toSpliced(i, 0, value);
};

const removeHere = (v: RegoValue, key: RegoValue): RegoValue => {
  child(v, key);
  if (v instanceof Map) return without(v, key);
  if (v instanceof Set) return new Set([...v].filter((item) => !equal(item, key)));
  return array(v).toSpliced(index(key, array(v).length), 1);
};

/** replaces the value at a key */
const replaceHere = (v: RegoValue, key: RegoValue, value: RegoValue): RegoValue => {
  if (v instanceof Map) return new Map([...v].map(([k, old]) => [k, equal(k, key) ? value : old] as const));
  if (v instanceof Set) return new Set([...v].map((item) => (equal(item, key) ? value : item)));
  return array(v).with(index(key, array(v).length), value);
};

type Edit = (v: RegoValue, key: RegoValue) => RegoValue;

const edit = (v: RegoValue, path: Path, change: Edit): RegoValue => {
  const [key, ...rest] = path;
  if (key === undefined) return fail('the path is empty');
  return rest.length === 0 ? change(v, key) : replaceHere(v, key, edit(child(v, key), rest, change));
};

const insert = (v: RegoValue | undefined, path: Path, value: RegoValue): RegoValue =>
  path.length === 0 ? value : edit(some(v), path, (here, key) => insertHere(here, key, value));

const remove = (v: RegoValue | undefined, path: Path): RegoValue | undefined =>
  path.length === 0 ? undefined : edit(some(v), path, removeHere);

const apply = (v: RegoValue | undefined, operation: RegoObject): RegoValue | undefined => {
  const member = (name: string): RegoValue => some(operation.get(name));
  const whole = (): RegoValue => some(v);
  const op = string(member('op'));
  const path = pathOf(member('path'));
  switch (op) {
    case 'add':
      return insert(v, path, member('value'));
    case 'remove':
      return remove(v, path);
    case 'replace':
      return insert(remove(v, path), path, member('value'));
    case 'move': {
      const from = pathOf(member('from'));
      const moved = at(whole(), from);
      return insert(remove(v, from), path, moved);
    }
    case 'copy':
      return insert(v, path, at(whole(), pathOf(member('from'))));
    case 'test':
      return equal(at(whole(), path), member('value')) ? v : fail('the value differs');
    default:
      return fail('unknown operation');
  }
};

export const patch: Family = {
  'json.patch': ([target, operations], context) =>
    some(
      array(operations).reduce<RegoValue | undefined>((v, operation) => {
        context.check();
        return apply(v, object(operation));
      }, target),
    ),
};
