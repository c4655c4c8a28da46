/**
 * Selected fields: `name,phone`. The catalog treats them as in any other response, so plain names need not be listed. A name that
 * renames (`name:ssn`), computes or follows a relation must be listed, because the catalog would not recognize the result.
 */
import { type Grammar, PLAIN_NAME, type Reading } from './grammar.ts';

function item(text: string, reading: Reading): void {
  const name = text.trim();
  if (name === '') reading.refuse('has an empty item');
  if (name !== '*' && !PLAIN_NAME.test(name)) reading.returned(name);
}

export const select: Grammar = {
  value(value, reading: Reading) {
    const items = Array.isArray(value) ? (value as unknown[]) : [value];
    for (const text of items) {
      if (typeof text !== 'string') reading.refuse('is not a list of names');
      if (text !== '') for (const name of text.split(',')) item(name, reading);
    }
  },
  member(path, value, reading: Reading) {
    if (!/^\d*$/.test(path.join())) reading.refuse('has something in brackets that is not a position');
    this.value?.(value, reading);
  },
};

/** Relations to follow; each must be listed. */
export const include: Grammar = {
  value(value, reading: Reading) {
    const items = Array.isArray(value) ? (value as unknown[]) : [value];
    for (const text of items) {
      if (typeof text !== 'string') reading.refuse('is not a list of names');
      if (text !== '') for (const name of text.split(',')) reading.returned(name.trim());
    }
  },
};
