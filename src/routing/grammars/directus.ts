/**
 * Filters of Directus: `{"phone":{"_starts_with":"138"}}`, relations as `{"author":{"name":{…}}}` (listed as `author.name`), functions
 * unchanged (`year(born)`). In the query they are JSON (`filter={…}`) or bracketed names (`filter[phone][_eq]=138`).
 */
import { type Grammar, isObject, isPlain, type Reading } from './grammar.ts';
import { jsonText } from './json-text.ts';

const OPERATORS: ReadonlySet<string> = new Set(
  (
    '_eq _neq _ieq _nieq _lt _lte _gt _gte _in _nin _null _nnull _empty _nempty _contains _ncontains _icontains _nicontains ' +
    '_starts_with _nstarts_with _istarts_with _nistarts_with _ends_with _nends_with _iends_with _niends_with _between _nbetween _regex'
  ).split(' '),
);
const LOGICAL: ReadonlySet<string> = new Set(['_and', '_or']);
const QUANTIFIERS: ReadonlySet<string> = new Set(['_some', '_none']);
/** `$CURRENT_USER.phone` compares with a field of another record. */
const VARIABLE = /^\s*\$(?!NOW\b)[A-Z]/;

function operand(value: unknown, reading: Reading): void {
  if (!isPlain(value)) reading.refuse('has a filter within a value');
  if (
    [value].flat().some((item) => typeof item === 'string' && item.split(',').some((v) => VARIABLE.test(v)))
  )
    reading.refuse('compares with a variable');
}

function read(filter: unknown, reading: Reading, prefix: string): void {
  if (!isObject(filter)) reading.refuse('is not a JSON object');
  if (prefix !== '' && Object.keys(filter).length === 0) reading.refuse('has an empty filter of a field');
  for (const [key, value] of Object.entries(filter)) {
    if (LOGICAL.has(key)) {
      if (!Array.isArray(value)) reading.refuse('has something that is not a list of filters');
      for (const inner of value as unknown[]) read(inner, reading, prefix);
    } else if (prefix !== '' && QUANTIFIERS.has(key)) read(value, reading, prefix);
    else if (prefix !== '' && OPERATORS.has(key)) {
      reading.field(prefix);
      operand(value, reading);
    } else if (key.startsWith('_') || key.includes('.')) reading.refuse('has an operator that is not known');
    else {
      const name = prefix === '' ? key : `${prefix}.${key}`;
      if (isObject(value)) read(value, reading, name);
      else {
        reading.field(name);
        operand(value, reading);
      }
    }
  }
}

export const directus: Grammar = {
  hasSemicolons: true,
  value(value, reading) {
    if (value === '') return;
    read(typeof value === 'string' ? jsonText(value, reading) : value, reading, '');
  },
  member(path, value, reading: Reading) {
    const names: string[] = [];
    const steps = [...path];
    // A value may follow only an operator: "filter[phone]=ssn" beside "filter[phone][_eq]=…" would become the name of a field.
    for (let step = steps.shift(); ; step = steps.shift()) {
      if (step === undefined) reading.refuse('has brackets that do not end in an operator');
      if (LOGICAL.has(step)) {
        if (!/^\d*$/.test(steps.shift() ?? '-')) reading.refuse('has an operator that no position follows');
      } else if (QUANTIFIERS.has(step)) continue;
      else if (OPERATORS.has(step)) break;
      else if (step === '' || step.startsWith('_') || step.includes('.'))
        reading.refuse('has an operator that is not known');
      else names.push(step);
    }
    if (names.length === 0 || steps.length > 1 || !/^\d*$/.test(steps.join()))
      reading.refuse('has brackets that are not a field and an operator');
    reading.field(names.join('.'));
    operand(value, reading);
  },
};
