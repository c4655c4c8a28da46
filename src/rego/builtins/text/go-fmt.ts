/**
 * Go's `fmt.Sprintf` for the types that OPA passes to it: int64, *big.Int, float64 and string. Longer than most files: Go's
 * verbs, flags and error texts (`%!d(string=hi)`) are in one place, to be compared with Go's documentation
 * (https://pkg.go.dev/fmt).
 */
import { bytesOf, stringOf } from '../../values.ts';
import { canBackquote, quote, quoteRune } from './rego-source.ts';

export type Argument =
  | { readonly type: 'int64' | 'int'; readonly value: bigint }
  | { readonly type: '*big.Int'; readonly value: bigint }
  | { readonly type: 'float64'; readonly value: number }
  | { readonly type: 'string' | 'json.Number'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: '<nil>' }
  | { readonly type: '[]interface {}'; readonly items: readonly Argument[] }
  | {
      readonly type: 'map[string]interface {}';
      readonly members: readonly (readonly [string, Argument])[];
    };

interface Spec {
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%#v`: Go syntax, `%+v`: field names; neither is the flag of another verb */
  sharpV: boolean;
  plusV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

/** Go's limit for width and precision */
const MAX_WIDTH = 1_000_000;

const runeCount = (text: string): number => {
  let n = 0;
  for (const _ of text) n += 1;
  return n;
};

const pad = (text: string, spec: Spec, zero = spec.zero): string => {
  const missing = (spec.width ?? 0) - runeCount(text);
  if (missing <= 0) return text;
  if (spec.minus) return text + ' '.repeat(missing);
  return (zero ? '0' : ' ').repeat(missing) + text;
};

/** sign, prefix and digits of an integer, padded with zeros between prefix and digits */
const integer = (n: bigint, base: number, spec: Spec, upper: boolean, prefix: string): string => {
  const negative = n < 0n;
  let digits = (negative ? -n : n).toString(base);
  if (upper) digits = digits.toUpperCase();
  if (spec.precision !== undefined) {
    if (spec.precision === 0 && n === 0n) return pad('', spec, false);
    digits = digits.padStart(spec.precision, '0');
  }
  const sign = negative ? '-' : spec.plus ? '+' : spec.space ? ' ' : '';
  if (spec.zero && !spec.minus && spec.precision === undefined && spec.width !== undefined) {
    // Go pads the digits to the width and then writes the prefix before them.
    digits = digits.padStart(spec.width - sign.length, '0');
  }
  const octal = spec.sharp && base === 8 && !digits.startsWith('0') ? '0' : '';
  return pad(sign + prefix + octal + digits, spec, false);
};

/** big.Int has its own formatter, which counts the prefix as part of the width */
const bigInteger = (n: bigint, base: number, spec: Spec, upper: boolean, prefix: string): string => {
  const negative = n < 0n;
  let digits = (negative ? -n : n).toString(base);
  if (upper) digits = digits.toUpperCase();
  if (spec.precision !== undefined) {
    if (spec.precision === 0 && n === 0n) return '';
    digits = digits.padStart(spec.precision, '0');
  }
  const sign = negative ? '-' : spec.plus || spec.plusV ? '+' : spec.space ? ' ' : '';
  if (spec.zero && !spec.minus && spec.precision === undefined && spec.width !== undefined) {
    digits = digits.padStart(spec.width - sign.length - prefix.length, '0');
  }
  return pad(sign + prefix + digits, spec, false);
};

const BASES: { readonly [verb: string]: { readonly base: number; readonly prefix: string } } = {
  b: { base: 2, prefix: '0b' },
  o: { base: 8, prefix: '0' },
  O: { base: 8, prefix: '0o' },
  d: { base: 10, prefix: '' },
  x: { base: 16, prefix: '0x' },
  X: { base: 16, prefix: '0X' },
};

const character = (n: bigint): string =>
  n >= 0n && n <= 0x10ffffn && !(n >= 0xd800n && n <= 0xdfffn) ? String.fromCodePoint(Number(n)) : '\ufffd';

const formatInt = (n: bigint, verb: string, spec: Spec, big: boolean): string | undefined => {
  const of = verb === 'v' ? 'd' : verb;
  const known = BASES[of];
  if (known !== undefined) {
    if (!big) {
      const prefix = of === 'O' ? '0o' : spec.sharp && known.base !== 8 ? known.prefix : '';
      return integer(n, known.base, spec, of === 'X', prefix);
    }
    const prefix = of === 'O' ? '0o' : spec.sharp ? known.prefix : '';
    return bigInteger(n, known.base, spec, of === 'X', prefix);
  }
  if (big) return verb === 's' ? bigInteger(n, 10, spec, false, '') : undefined;
  if (verb === 'c') return pad(character(n), spec);
  if (verb === 'q') return pad(quoteRune(character(n), spec.plus), spec);
  if (verb === 'U') {
    let text = `U+${(n < 0n ? BigInt.asUintN(64, n) : n)
      .toString(16)
      .toUpperCase()
      .padStart(Math.max(4, spec.precision ?? 0), '0')}`;
    if (spec.sharp && n <= 0x10ffffn && n >= 0n) text += ` '${character(n)}'`;
    return pad(text, spec, false);
  }
  return undefined;
};

/** an exponent of at least two digits, as in C and Go */
const exponent = (text: string): string => text.replace(/e([+-])(\d)$/, 'e$10$2');

/** value = mantissa × 2^power */
const parts = (value: number): { readonly mantissa: bigint; readonly power: number } => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const raw = Number((bits >> 52n) & 0x7ffn);
  return {
    mantissa: (bits & 0xf_ffff_ffff_ffffn) | (raw === 0 ? 0n : 1n << 52n),
    power: (raw === 0 ? 1 : raw) - 1075,
  };
};

/** 4503599627370496p-52 */
const binary = (value: number): string => {
  const { mantissa, power } = parts(value);
  return `${mantissa}p${power < 0 ? '-' : '+'}${Math.abs(power)}`;
};

/** Exact decimal digits of a double: Go rounds the exact value, and JavaScript's toFixed stops at 100 digits and 1e21. */
const exact = (value: number): { readonly digits: bigint; readonly scale: number } => {
  const { mantissa, power } = parts(value);
  return power >= 0
    ? { digits: mantissa << BigInt(power), scale: 0 }
    : { digits: mantissa * 5n ** BigInt(-power), scale: -power };
};

const roundedDiv = (n: bigint, d: bigint): bigint => {
  const q = n / d;
  const twice = (n % d) * 2n;
  return twice > d || (twice === d && q % 2n === 1n) ? q + 1n : q;
};

const fixed = (value: number, precision: number): string => {
  const { digits, scale } = exact(value);
  const scaled =
    precision >= scale
      ? digits * 10n ** BigInt(precision - scale)
      : roundedDiv(digits, 10n ** BigInt(scale - precision));
  const text = scaled.toString().padStart(precision + 1, '0');
  return precision === 0 ? text : `${text.slice(0, -precision)}.${text.slice(-precision)}`;
};

const scientific = (value: number, precision: number): string => {
  if (value === 0) return `${fixed(0, precision)}e+00`;
  const { digits, scale } = exact(value);
  const all = digits.toString();
  let power = all.length - 1 - scale;
  const drop = all.length - 1 - precision;
  let kept = drop <= 0 ? all + '0'.repeat(-drop) : roundedDiv(digits, 10n ** BigInt(drop)).toString();
  if (kept.length > precision + 1) {
    kept = kept.slice(0, -1);
    power += 1;
  }
  const sign = power < 0 ? '-' : '+';
  return `${kept[0]}${precision > 0 ? `.${kept.slice(1)}` : ''}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
};

/** Go's FormatFloat(f, 'g', -1) */
export const shortest = (value: number): string =>
  (value < 0 || Object.is(value, -0) ? '-' : '') + general(Math.abs(value), undefined, false);

const powerOf = (text: string): number => Number(/e([+-]\d+)$/.exec(text)?.[1] ?? 0);

/** Go's %g: the shortest digits, or `precision` significant digits; `sharp` keeps trailing zeros */
const general = (value: number, precision: number | undefined, sharp: boolean): string => {
  if (precision === undefined) {
    const e = exponent(value.toExponential());
    const text = powerOf(e) < -4 || powerOf(e) >= 6 ? e : plain(value);
    return sharp ? zeros(text, 6) : text;
  }
  const significant = precision === 0 ? 1 : precision;
  const e = scientific(value, significant - 1);
  const text = powerOf(e) < -4 || powerOf(e) >= significant ? e : fixed(value, significant - 1 - powerOf(e));
  return sharp ? text : text.replace(/(\.\d*?)0+(e|$)/, '$1$2').replace(/\.(e|$)/, '$1');
};

/** appends zeros until there are so many digits, after adding a point if there is none */
const zeros = (text: string, digits: number): string => {
  const [mantissa = '', ...rest] = text.split(/(?=e)/);
  const pointed = mantissa.includes('.') ? mantissa : `${mantissa}.`;
  const missing = digits - pointed.replace(/^0\.0*|\./g, '').length;
  return pointed + '0'.repeat(Math.max(0, missing)) + rest.join('');
};

/** a double's shortest digits without an exponent */
const plain = (value: number): string => {
  const m = /^(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(value.toExponential());
  if (m === null) return String(value);
  const digits = (m[1] as string) + (m[2] ?? '');
  const point = Number(m[3]) + 1;
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  return point >= digits.length
    ? digits + '0'.repeat(point - digits.length)
    : `${digits.slice(0, point)}.${digits.slice(point)}`;
};

/** hexadecimal mantissa and binary exponent: -0x1.23p+20 */
const hexadecimal = (value: number, precision: number | undefined, upper: boolean): string => {
  if (value === 0) return `0x0${precision ? `.${'0'.repeat(precision)}` : ''}p+00`;
  let power = Math.floor(Math.log2(value));
  let mantissa = value / 2 ** power;
  if (mantissa >= 2) {
    mantissa /= 2;
    power += 1;
  } else if (mantissa < 1) {
    mantissa *= 2;
    power -= 1;
  }
  let fraction = BigInt(Math.round((mantissa - 1) * 2 ** 52));
  let lead = 1n;
  let digits: string;
  if (precision === undefined) digits = fraction.toString(16).padStart(13, '0').replace(/0+$/, '');
  else {
    const keep = BigInt(4 * Math.min(precision, 13));
    let rounded = roundedDiv((lead << 52n) | fraction, 1n << (52n - keep));
    if (rounded >> keep >= 2n) {
      rounded >>= 1n;
      power += 1;
    }
    lead = rounded >> keep;
    fraction = rounded & ((1n << keep) - 1n);
    digits =
      precision === 0
        ? ''
        : fraction.toString(16).padStart(Math.min(precision, 13), '0').padEnd(precision, '0');
  }
  const text = `0x${lead}${digits === '' ? '' : `.${digits}`}p${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  return upper ? text.toUpperCase() : text;
};

const formatFloat = (value: number, verb: string, spec: Spec): string | undefined => {
  if (!'vbgGxXfFeE'.includes(verb)) return undefined;
  const negative = value < 0 || Object.is(value, -0);
  const magnitude = Math.abs(value);
  let text: string;
  switch (verb) {
    case 'f':
    case 'F':
      text = fixed(magnitude, spec.precision ?? 6);
      break;
    case 'e':
    case 'E':
      text = scientific(magnitude, spec.precision ?? 6);
      break;
    case 'x':
    case 'X':
      text = hexadecimal(magnitude, spec.precision, verb === 'X');
      break;
    case 'b':
      text = binary(magnitude);
      break;
    default:
      text = general(magnitude, spec.precision, spec.sharp);
  }
  if (spec.sharp && verb !== 'b' && !text.includes('.')) text = text.replace(/^(\d+)/, '$1.');
  if (verb === 'G' || verb === 'E') text = text.toUpperCase();
  const sign = negative ? '-' : spec.plus ? '+' : spec.space ? ' ' : '';
  if (spec.zero && !spec.minus && spec.width !== undefined)
    return sign + text.padStart(spec.width - sign.length, '0');
  return pad(sign + text, spec, false);
};

const formatString = (value: string, verb: string, spec: Spec): string | undefined => {
  const cut = (): string =>
    spec.precision === undefined ? value : [...value].slice(0, spec.precision).join('');
  switch (verb) {
    case 'v':
      return pad(spec.sharpV ? quote(cut()) : cut(), spec);
    case 's':
      return pad(cut(), spec);
    case 'q':
      return pad(quoted(cut(), spec), spec);
    case 'x':
    case 'X': {
      const bytes = bytesOf(value).slice(0, spec.precision);
      const pairs = [...bytes].map((b) => b.toString(16).padStart(2, '0'));
      const prefix = spec.sharp ? '0x' : '';
      const text = spec.space
        ? pairs.map((p) => prefix + p).join(' ')
        : pairs.length === 0
          ? ''
          : prefix + pairs.join('');
      return pad(verb === 'X' ? text.toUpperCase() : text, spec);
    }
    default:
      return undefined;
  }
};

const quoted = (text: string, spec: Spec): string =>
  spec.sharp && canBackquote(text) ? `\`${text}\`` : quote(text, spec.plus);

const format = (arg: Argument, verb: string, spec: Spec): string | undefined => {
  if (verb === 'T') return formatString(arg.type, 's', spec);
  switch (arg.type) {
    case 'int64':
    case 'int':
      return formatInt(arg.value, verb, spec, false);
    case '*big.Int':
      return formatInt(arg.value, verb, spec, true);
    case 'float64':
      return formatFloat(arg.value, verb, spec);
    case 'bool':
      return verb === 't' || verb === 'v' ? pad(String(arg.value), spec) : undefined;
    case '<nil>':
      return verb === 'v' ? pad('<nil>', spec) : undefined;
    case '[]interface {}':
      return `[${arg.items.map((item) => element(item, verb, spec)).join(' ')}]`;
    case 'map[string]interface {}': {
      const members = arg.members.map(
        ([key, item]) =>
          `${element({ type: 'string', value: key }, verb, spec)}:${element(item, verb, spec)}`,
      );
      return `map[${members.join(' ')}]`;
    }
    default:
      return formatString(arg.value, verb, spec);
  }
};

const element = (arg: Argument, verb: string, spec: Spec): string =>
  arg.type === '<nil>' ? pad('<nil>', spec) : (format(arg, verb, spec) ?? complain(verb, arg, spec));

const PLAIN: Spec = {
  minus: false,
  plus: false,
  sharp: false,
  space: false,
  zero: false,
  sharpV: false,
  plusV: false,
  width: undefined,
  precision: undefined,
};

const complain = (verb: string, arg: Argument, spec: Spec): string => {
  if (arg.type === '*big.Int') return `%!${verb}(big.Int=${arg.value})`;
  if (arg.type === '<nil>') return `%!${verb}(<nil>)`;
  return `%!${verb}(${arg.type}=${format(arg, 'v', spec) ?? ''})`;
};

/** %v */
export const formatArgument = (arg: Argument): string => format(arg, 'v', { ...PLAIN }) ?? '';

export const sprintf = (layout: string, args: readonly Argument[]): string => {
  const runes = [...layout];
  let out = '';
  let next = 0;
  let reordered = false;
  let at = 0;

  const readNumber = (): number | undefined => {
    let text = '';
    while (/^\d$/.test(runes[at] ?? '')) text += runes[at++];
    return text === '' ? undefined : Number(text);
  };

  while (at < runes.length) {
    const ch = runes[at++] as string;
    if (ch !== '%') {
      out += ch;
      continue;
    }
    const spec: Spec = { ...PLAIN };
    let goodIndex = true;
    let afterIndex = false;
    let bad = '';

    /** reads an argument index, e.g. `[3]` */
    const readIndex = (): void => {
      afterIndex = false;
      if (runes[at] !== '[') return;
      reordered = true;
      const close = runes.indexOf(']', at);
      if (close < 0) {
        goodIndex = false;
        at += 1;
        return;
      }
      const text = runes.slice(at + 1, close).join('');
      at = close + 1;
      const index = /^\d+$/.test(text) ? Number(text) - 1 : -1;
      if (index < 0 || index >= args.length) goodIndex = false;
      else {
        next = index;
        afterIndex = true;
      }
    };

    const star = (): number | undefined => {
      const arg = args[next++];
      if (
        (arg?.type !== 'int64' && arg?.type !== 'int') ||
        arg.value > BigInt(MAX_WIDTH) ||
        arg.value < BigInt(-MAX_WIDTH)
      )
        return undefined;
      return Number(arg.value);
    };

    flags: for (; at < runes.length; at++) {
      switch (runes[at]) {
        case '#':
          spec.sharp = true;
          break;
        case '0':
          spec.zero = true;
          break;
        case '+':
          spec.plus = true;
          break;
        case '-':
          spec.minus = true;
          break;
        case ' ':
          spec.space = true;
          break;
        default:
          break flags;
      }
    }
    readIndex();
    if (runes[at] === '*') {
      at += 1;
      const width = star();
      if (width === undefined) bad += '%!(BADWIDTH)';
      else {
        spec.width = Math.abs(width);
        if (width < 0) {
          spec.minus = true;
          spec.zero = false;
        }
      }
      afterIndex = false;
    } else {
      const width = readNumber();
      if (width !== undefined) {
        if (afterIndex) goodIndex = false;
        if (width > MAX_WIDTH) at = runes.length;
        spec.width = width;
      }
    }
    if (runes[at] === '.') {
      at += 1;
      if (afterIndex) goodIndex = false;
      readIndex();
      if (runes[at] === '*') {
        at += 1;
        const precision = star();
        if (precision === undefined) bad += '%!(BADPREC)';
        else if (precision >= 0) spec.precision = precision;
        else bad += '%!(BADPREC)';
        afterIndex = false;
      } else {
        const precision = readNumber() ?? 0;
        if (precision > MAX_WIDTH) at = runes.length;
        spec.precision = precision;
      }
    }
    if (!afterIndex) readIndex();
    out += bad;
    const verb = runes[at++];
    if (verb === undefined) {
      out += '%!(NOVERB)';
      break;
    }
    if (verb === '%') {
      out += '%';
      continue;
    }
    if (!goodIndex) {
      out += `%!${verb}(BADINDEX)`;
      continue;
    }
    const arg = args[next];
    if (arg === undefined) {
      out += `%!${verb}(MISSING)`;
      continue;
    }
    next += 1;
    if (spec.minus) spec.zero = false;
    if (verb === 'v') {
      spec.sharpV = spec.sharp;
      spec.plusV = spec.plus;
      spec.sharp = false;
      spec.plus = false;
    }
    out += format(arg, verb, spec) ?? complain(verb, arg, spec);
  }
  if (!reordered && next < args.length) {
    const extra = args.slice(next).map((arg) => `${arg.type}=${format(arg, 'v', { ...PLAIN }) ?? ''}`);
    out += `%!(EXTRA ${extra.join(', ')})`;
  }
  return stringOf(bytesOf(out));
};
