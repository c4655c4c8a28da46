/**
 * Queries of Parse Server (`where`): `{"phone":{"$gt":"138"},"$or":[…]}`. Not supported: `$inQuery`, `$notInQuery`, `$select`,
 * `$dontSelect` and `$relatedTo`, which search another class, and `$text`, which searches every indexed field.
 */
import { type Grammar, isPlain } from './grammar.ts';
import { type JsonDialect, operators, readFilter } from './json-filter.ts';
import { jsonText } from './json-text.ts';

const TYPES: readonly unknown[] = ['Date', 'Pointer', 'GeoPoint', 'Bytes', 'File', 'Polygon'];

const DIALECT: JsonDialect = {
  logical: new Set(['$or', '$and', '$nor']),
  operators: operators({
    value:
      '$eq $ne $lt $lte $gt $gte $in $nin $exists $regex $options $all $containedBy $maxDistance $maxDistanceInMiles $maxDistanceInKilometers $maxDistanceInRadians',
    shape: '$nearSphere $within $geoWithin $geoIntersects',
  }),
  isValue: (value) => {
    const { __type: type, coordinates, ...members } = value;
    if (!TYPES.includes(type) || !Object.values(members).every(isPlain)) return false;
    return coordinates === undefined || (Array.isArray(coordinates) && coordinates.every(isPlain));
  },
};

export const parse: Grammar = {
  hasSemicolons: true,
  value(value, reading) {
    if (value === '') return;
    readFilter(typeof value === 'string' ? jsonText(value, reading) : value, DIALECT, reading);
  },
};
