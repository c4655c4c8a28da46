/**
 * System query options of OData. Paths are listed unchanged (`Address/City`), fields of a collection or relation after it
 * (`Orders/Amount`). Not supported: `$apply` and `$compute`, which rename; `$skiptoken`, `$format` (name them in query_params).
 */
import { type Grammar, PLAIN_NAME, type Reading, splitList } from './grammar.ts';
import { readCondition, readOrder } from './odata-expression.ts';

const WORDS = /^[\p{L}\p{N}\p{M}\s"'()@+.,_-]*$/u;
const MAX_EXPANDS = 5;

const OPTIONS: {
  readonly [option: string]: (value: string, reading: Reading, depth: number) => void;
} = Object.assign(Object.create(null), {
  $filter: readCondition,
  $orderby: readOrder,
  $search: (value: string, reading: Reading) => {
    if (!WORDS.test(value)) reading.refuse('has a character that a search by words does not need');
    reading.everything();
  },
  $select: (value: string, reading: Reading) => {
    for (const name of splitList(value, ',', "'", reading))
      if (name !== '*' && !PLAIN_NAME.test(name)) reading.returned(name);
  },
  $expand: expand,
  $top: integer,
  $skip: integer,
  $count: oneOf('true', 'false'),
  $inlinecount: oneOf('allpages', 'none'),
});

function integer(value: string, reading: Reading): void {
  if (!/^\d{1,9}$/.test(value)) reading.refuse('is not a number');
}

function oneOf(...values: string[]): (value: string, reading: Reading) => void {
  return (value, reading) => {
    if (!values.includes(value)) reading.refuse('has a value that is not known');
  };
}

/** `Orders($filter=Amount gt 3;$select=Amount)`: the options in brackets concern the relation's fields. */
function expand(value: string, reading: Reading, depth: number): void {
  if (depth > MAX_EXPANDS) reading.refuse('follows relations too deeply');
  for (const item of splitList(value, ',', "'", reading)) {
    const m = /^([^()]+?)(?:\((.*)\))?$/s.exec(item);
    const name = m?.[1]?.trim() ?? '';
    if (name.includes('$')) reading.refuse('follows something that is not a relation');
    reading.returned(name);
    if (m?.[2] === undefined) continue;
    const inner = behind(name, reading);
    for (const option of splitList(m[2], ';', "'", reading)) {
      const at = option.indexOf('=');
      const read = OPTIONS[option.slice(0, at)];
      if (at === -1 || !read) reading.refuse('has an option that is not known');
      read(option.slice(at + 1), inner, depth + 1);
    }
  }
}

const behind = (prefix: string, reading: Reading): Reading => ({
  ...reading,
  field: (name) => reading.field(`${prefix}/${name}`),
  returned: (name) => reading.returned(`${prefix}/${name}`),
});

export const odata: Grammar = {
  hasSemicolons: true,
  parameter(name, value, reading) {
    const read = OPTIONS[name];
    if (!read) return false;
    if (value !== '' || name === '$search') read(value, reading, 0);
    return true;
  },
};
