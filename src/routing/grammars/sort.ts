/** Sort orders: `-name,phone`, `name desc,phone`, `name:desc`; in JSON a list of these, or `{"name": -1}`. */
import { type Grammar, isObject, type Reading } from './grammar.ts';
import { jsonText } from './json-text.ts';

const ITEM = /^[-+]?\s*([^\s,:+-][^\s,:]*)(?:[\s:]+(?:asc|desc|ascending|descending))?$/i;
const DIRECTIONS: readonly unknown[] = [1, -1, 'asc', 'desc', 'ASC', 'DESC'];

function item(text: string, reading: Reading): void {
  const name = ITEM.exec(text.trim())?.[1];
  if (name === undefined) reading.refuse('has an item that is not a name with a direction');
  reading.field(name);
}

export const sort: Grammar = {
  value(value, reading: Reading) {
    if (typeof value === 'string') {
      if (/^\s*[{[]/.test(value)) this.value?.(jsonText(value, reading), reading);
      else if (value !== '') for (const text of value.split(',')) item(text, reading);
    } else if (Array.isArray(value)) {
      for (const text of value as unknown[]) {
        if (typeof text !== 'string') reading.refuse('has an item that is not a text');
        item(text, reading);
      }
    } else if (isObject(value)) {
      for (const [name, direction] of Object.entries(value)) {
        if (!DIRECTIONS.includes(direction)) reading.refuse('has a direction other than 1, -1, asc and desc');
        reading.field(name);
      }
    } else reading.refuse('is not a sort order');
  },
  member(path, value, reading: Reading) {
    if (!/^\d*$/.test(path.join())) reading.refuse('has something in brackets that is not a position');
    item(value, reading);
  },
};
