/**
 * Postal addresses: province and city are kept, the rest is hidden. Chinese addresses are read by the list of divisions, from the large to the
 * small; others from the end, by the parts between commas, and only if a country, a state or a postcode identifies an address.
 * `{ keep: province }` hides the city too.
 */
import { oneOf, onlyKnown } from '../parameters.ts';
import { divisionOf } from './china.ts';
import { HIDDEN, type Mask, type MaskParameters, maskOf } from './mask.ts';
import { isRegion } from './regions.ts';
import type { Shape } from './returned.ts';

const PLACE = /^\p{L}[\p{L}\p{M}.'’-]*(?: [\p{L}\p{M}.'’-]+){0,3}$/u;
const LONGEST_PLACE = 40;
/** ZIP codes and four to six digits; British and Canadian postcodes; Japan's 〒 */
const POSTCODE =
  /(?:^|[ -])(?:[0-9]{4,6}(?:-[0-9]{3,4})?|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])(?= |$)/;
const DIGIT = /\p{N}/u;

const SHAPE: Shape = {
  pattern: /\p{Script=Han}\*$|^\*,/u,
  sees: 'words',
  within: /\p{Script=Han}\*{4,}|(?<![\p{L}\p{N}*])\*{4,}, ?\p{L}/u,
};

/** parts within a city: if an address has no city, such a part precedes the country */
const STREET =
  /(?:^| )(?:(?:street|str|st|road|rd|avenue|ave|av|lane|ln|drive|dr|way|close|court|ct|crescent|place|pl|square|sq|terrace|boulevard|blvd|highway|hwy|parkway|pkwy|row|mews|walk|alley|path|circuit|building|bldg|tower|house|cottage|villa|villas|estate|mansion|centre|center|plaza|court|lodge|hall|floor|flat|room|unit|suite|apartment|apt|block|gardens?|grove|hill|view|heights|lu|jie|dajie|hutong)\.?(?: (?:north|south|east|west|central|n|s|e|w)\.?)?$|(?:rue|via|calle|rua|avenida|carrer|jalan|jl|ul|ulica|p\.?o\.? ?box|c\/o|attn|the)\b)|[a-zäöüß](?:straße|strasse|str\.?|gasse|weg|platz|allee|gata|gatan|vej|straat|laan)(?: |$)/i;
const PERSON = /^(?:mr|mrs|ms|miss|dr|prof)\b\.?/i;
const isStreet = (part: string): boolean => STREET.test(withoutNumbers(part)) || PERSON.test(part);

const withoutNumbers = (part: string): string =>
  part
    .split(' ')
    .filter((word) => word !== '' && !DIGIT.test(word))
    .join(' ');

function chinese(text: string, keepCity: boolean): string | null {
  const found = divisionOf(text);
  if (found === null) return null;
  const end = keepCity ? found.cityEnd : found.provinceEnd;
  return `${text.slice(found.start, end)}${HIDDEN}`;
}

function western(text: string, keepCity: boolean): string | null {
  const parts = text
    .split(/[,，\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
  let evidence = parts[0] === HIDDEN;
  const kept: string[] = [];
  let index = parts.length - 1;
  for (; index > 0 && kept.length < 2; index -= 1) {
    const place = withoutNumbers(parts[index]!);
    if (POSTCODE.test(parts[index]!)) evidence = true;
    if (place === '' && POSTCODE.test(parts[index]!)) continue;
    if (!isRegion(place)) break;
    kept.unshift(place);
    evidence = true;
  }
  if (!evidence) return null;
  const city = index > 0 && keepCity && !isStreet(parts[index]!) ? withoutNumbers(parts[index]!) : '';
  if (city.length <= LONGEST_PLACE && PLACE.test(city)) kept.unshift(city);
  return kept.length === 0 ? null : [HIDDEN, ...kept].join(', ');
}

export function address(parameters: MaskParameters): Mask {
  onlyKnown(parameters, ['keep']);
  const keepCity = oneOf(parameters, 'keep', 'city', ['city', 'province']) === 'city';
  return maskOf('address', keepCity ? 'province or state, and city' : 'province or state', SHAPE, (text) => {
    return chinese(text, keepCity) ?? western(text, keepCity);
  });
}
