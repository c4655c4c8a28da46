/** Full text: words that are searched in every field that the route lists. Characters of query languages are rejected. */
import type { Grammar, Reading } from './grammar.ts';

/** `name:x`, `name=x`, `{!…}`, `a|b`, `field(x)` … of Lucene, Solr, SQL and others; checked after normalization, too (`：`). */
const NAMING = /[:=<>{}[\]()|\\~^$;\p{Cc}]/u;

export const text: Grammar = {
  value(value, reading: Reading) {
    if (typeof value !== 'string') reading.refuse('is not a text');
    if (NAMING.test(value) || NAMING.test(value.normalize('NFKC')))
      reading.refuse('has a character that a search by words does not need');
    reading.everything();
  },
};
