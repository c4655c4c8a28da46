/** Countries, and states or provinces that are part of addresses: the visible end of a Western address. */

const NAMED = `usa us u.s. u.s.a. uk u.k. england scotland wales northern ireland uae prc p.r.c. p.r. china korea russia
czech republic the netherlands holland hong kong macau macao taiwan viet nam vietnam turkey ivory coast`;
const NAMES = [
  'northern ireland',
  'czech republic',
  'the netherlands',
  'hong kong',
  'p.r. china',
  'viet nam',
  'ivory coast',
];

const STATES = `Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|
Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|
New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|
South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming|Ontario|Quebec|Québec|
British Columbia|Alberta|Manitoba|Saskatchewan|Nova Scotia|New Brunswick|Newfoundland and Labrador|Prince Edward Island|Victoria|
New South Wales|Queensland|South Australia|Western Australia|Tasmania|Hebei|Shanxi|Inner Mongolia|Liaoning|Jilin|Heilongjiang|Jiangsu|
Zhejiang|Anhui|Fujian|Jiangxi|Shandong|Henan|Hubei|Hunan|Guangdong|Guangxi|Hainan|Sichuan|Guizhou|Yunnan|Tibet|Shaanxi|Gansu|
Qinghai|Ningxia|Xinjiang`;

const CODES = new Set(
  (
    'AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD ' +
    'TN TX UT VT VA WA WV WI WY DC PR AB BC MB NB NL NS NT NU ON PE QC SK YT NSW QLD VIC TAS ACT'
  ).split(' '),
);

function countries(): string[] {
  const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });
  const found: string[] = [];
  const letters = Array.from({ length: 26 }, (_, i) => String.fromCharCode(65 + i));
  for (const first of letters) {
    for (const second of letters) {
      const name = names.of(first + second);
      if (name !== undefined && !/unknown|pseudo/i.test(name)) found.push(name.toLowerCase());
    }
  }
  return found;
}

let known: Set<string> | undefined;

/** A country by its English name or usual short form, or a state by its name or code. */
export function isRegion(place: string): boolean {
  if (CODES.has(place)) return true;
  known ??= new Set([
    ...countries(),
    ...NAMED.split(/\s+/),
    ...NAMES,
    ...STATES.split(/\|\s*/).map((name) => name.trim().toLowerCase()),
  ]);
  return known.has(place.toLowerCase());
}
