/**
 * Queries of PostgREST (https://docs.postgrest.org/en/stable/references/api/tables_views.html): `phone=like.138*`, `or=(age.lt.18,age.gt.21)`,
 * `order=name.desc`, `select=name,orders(amount)`. Columns, JSON paths (`data->>phone`) and columns of relations (`orders.amount`) are
 * listed unchanged. Not supported: `select` with new names (`a:b`), casts, functions and `!inner`, which filters.
 */
import { type Grammar, PLAIN_NAME, type Reading, splitList } from './grammar.ts';

const OPERATOR =
  /^(?:not\.)?(?:(?:eq|gte?|lte?|like|ilike|match|imatch)(?:\((?:any|all)\))?|neq|in|is|isdistinct|cs|cd|ov|sl|sr|nxr|nxl|adj|(?:fts|plfts|phfts|wfts)(?:\([a-z_]+\))?)\.(.*)$/s;
/**
 * Within a tree a value ends at the next comma or bracket, unless it is a list of `in` or is quoted entirely. Any other value could
 * end earlier for PostgREST than for Sluice, and the rest would be a condition.
 */
const OPERAND =
  /^(?:not\.)?(?:in\.\((?:"[^"\\]*"|[^"(){},\\]*)(?:,(?:"[^"\\]*"|[^"(){},\\]*))*\)|[a-z]+(?:\([a-z_]+\))?\.(?:"[^"\\]*"|[^"(){}\\]*))$/;
const MAX_DEPTH = 20;

function column(value: string, name: string, reading: Reading): void {
  const operand = OPERATOR.exec(value)?.[1];
  if (operand === undefined) reading.refuse('has an operator that is not known');
  reading.field(name);
}

/** `(age.lt.18,not.and(a.eq.1,b.in.(1,2)))` */
function tree(value: string, reading: Reading, depth: number, prefix: string): void {
  if (depth > MAX_DEPTH) reading.refuse(`is nested more than ${MAX_DEPTH} levels deep`);
  if (!value.startsWith('(') || !value.endsWith(')')) reading.refuse('is not a list in brackets');
  for (const item of splitList(value.slice(1, -1), ',', '"', reading)) {
    const logical = /^(?:not\.)?(?:and|or)(\(.*\))$/s.exec(item)?.[1];
    if (logical !== undefined) {
      tree(logical, reading, depth + 1, prefix);
      continue;
    }
    // The name ends where the operator begins; quoted names are rejected.
    const m = /^([\p{L}_][\p{L}\p{N}_>-]*)\.(.*)$/su.exec(item);
    if (!m) reading.refuse('has an item that is not a column with an operator');
    if (!OPERAND.test(m[2]!)) reading.refuse('has a value that ends elsewhere for some readers');
    column(m[2]!, `${prefix}${m[1]}`, reading);
  }
}

function order(value: string, reading: Reading, prefix: string): void {
  for (const item of value.split(',')) {
    const m = /^([^.]+?)(?:\.(?:asc|desc))?(?:\.nulls(?:first|last))?$/.exec(item.trim());
    if (!m) reading.refuse('has an item that is not a column with a direction');
    // `orders(amount)` sorts by a column of a relation.
    const relation = /^([\p{L}_][\p{L}\p{N}_]*)\(([^()]+)\)$/u.exec(m[1]!);
    reading.field(`${prefix}${relation ? `${relation[1]}.${relation[2]}` : m[1]}`);
  }
}

function select(value: string, reading: Reading, prefix: string, depth: number): void {
  if (depth > MAX_DEPTH) reading.refuse(`is nested more than ${MAX_DEPTH} levels deep`);
  if (value === '') return;
  for (const item of splitList(value, ',', '"', reading)) {
    if (item === '*' || PLAIN_NAME.test(item)) continue;
    const m = /^([\p{L}_][\p{L}\p{N}_]*)\((.*)\)$/su.exec(item);
    if (!m) {
      reading.returned(`${prefix}${item}`);
      continue;
    }
    const relation = `${prefix}${m[1]}`;
    reading.returned(relation);
    select(m[2]!, reading, `${relation}.`, depth + 1);
  }
}

const LOGICAL = /^(.*\.)?(?:not\.)?(?:and|or)$/;

export const postgrest: Grammar = {
  parameter(name, value, reading) {
    const at = name.lastIndexOf('.');
    const last = name.slice(at + 1);
    const prefix = name.slice(0, at + 1);
    if (prefix !== '' && ['order', 'limit', 'offset', 'select'].includes(last))
      reading.returned(prefix.slice(0, -1));
    if (last === 'order') order(value, reading, prefix);
    else if (last === 'limit' || last === 'offset') {
      if (!/^\d{1,9}$/.test(value)) reading.refuse('is not a number');
    } else if (name === 'select') select(value, reading, '', 0);
    else if (LOGICAL.test(name)) {
      const relation = name.replace(/(?:^|\.)(?:not\.)?(?:and|or)$/, '');
      tree(value, reading, 0, relation === '' ? '' : `${relation}.`);
    } else if (['columns', 'on_conflict'].includes(last) || !reading.listed(name)) return false;
    else column(value, name, reading);
    return true;
  },
  /** Repeated conditions must all hold. */
  repeats: (name) => !/(?:^|\.)(?:order|limit|offset|select)$/.test(name),
};
