/**
 * Filters of MongoDB. Not supported: `$where`, `$expr`, `$function` and `$jsonSchema`, which name fields in another
 * language, and `$text`, which searches every indexed field.
 */
import { type Grammar, isScalar } from './grammar.ts';
import { type JsonDialect, operators, readFilter } from './json-filter.ts';
import { jsonText } from './json-text.ts';

/** Extended JSON, canonical and relaxed. */
const TYPES: ReadonlySet<string> = new Set(
  '$oid $date $numberInt $numberLong $numberDouble $numberDecimal $uuid'.split(' '),
);

const DIALECT: JsonDialect = {
  logical: new Set(['$or', '$and', '$nor']),
  operators: operators({
    value:
      '$eq $ne $lt $lte $gt $gte $in $nin $exists $regex $options $all $size $type $mod $bitsAllSet $bitsAnySet $bitsAllClear $bitsAnyClear $maxDistance $minDistance',
    not: '$not',
    element: '$elemMatch',
    shape: '$near $nearSphere $geoWithin $geoIntersects',
  }),
  isValue: (value) => {
    const [[key, inner] = ['', null], ...more] = Object.entries(value);
    if (more.length > 0 || !TYPES.has(key)) return false;
    return (
      isScalar(inner) || (key === '$date' && typeof inner === 'object' && DIALECT.isValue(inner as never))
    );
  },
};

export const mongo: Grammar = {
  hasSemicolons: true,
  value(value, reading) {
    if (value === '') return;
    readFilter(typeof value === 'string' ? jsonText(value, reading) : value, DIALECT, reading);
  },
};
