/**
 * `tokenize`: replaces a value by one of the same form that the holder of the key can reverse. Format-preserving encryption FF1 (NIST
 * SP 800-38G) over ASCII letters and digits: a digit becomes a digit, a capital a capital, other characters are kept. Values of digits use FF1 in
 * radix 10; a mixed value is one number in the mixed radix of its positions and uses FF1 in radix 2 with cycle walking (Black and Rogaway 2002).
 *
 * The key is derived for one recipient and purpose; the kept ends and the layout are the tweak. `{ keep_first, keep_last }` keep that many letters
 * or digits. Values with fewer than 10^6 possibilities (SP 800-38G rev. 1), with letters beyond ASCII, or too long are dropped. A token cannot
 * name its key: the caller that reverses it states the key (default: the current one).
 */
import { createHmac } from 'node:crypto';
import { FF1 } from '@noble/ciphers/ff1.js';
import { SluiceError } from '../../errors.ts';
import type { TreatmentChoice } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import { fault, natural, onlyKnown, type Parameters } from './parameters.ts';
import { asString, merged, orDrop, orRefuse } from './prepared.ts';
import type { Treatment, TreatmentContext, TreatmentKeys } from './treatment.ts';

const SMALLEST_DOMAIN = 1_000_000n;
/** positions; FF1 with big integers takes quadratic time */
const LONGEST = 128;
const MOST_KEPT = 16;
const WELL_FORMED = /^[\x20-\x7e]+$/;

interface Options {
  readonly first: number;
  readonly last: number;
}

function optionsOf(parameters: Parameters): Options {
  onlyKnown(parameters, ['keep_first', 'keep_last']);
  return {
    first: natural(parameters, 'keep_first', 0, MOST_KEPT),
    last: natural(parameters, 'keep_last', 0, MOST_KEPT),
  };
}

interface Layout {
  /** positions of the letters and digits to be replaced */
  readonly at: readonly number[];
  /** for each position: the size of its character class, and the code of the first character */
  readonly radix: readonly number[];
  readonly zero: readonly number[];
  readonly size: bigint;
  /** the kept characters and the classes of the others: equal for a value and its token */
  readonly tweak: string;
}

/** Null if a value cannot be tokenized. */
function layoutOf(text: string, options: Options): Layout | null {
  if (text.length > 4 * LONGEST || !WELL_FORMED.test(text)) return null;
  const at: number[] = [];
  for (let i = 0; i < text.length; i += 1) if (/[A-Za-z0-9]/.test(text[i]!)) at.push(i);
  const inner = at.slice(options.first, Math.max(options.first, at.length - options.last));
  if (inner.length > LONGEST) return null;
  const out = text.split('');
  const radix: number[] = [];
  const zero: number[] = [];
  let size = 1n;
  for (const index of inner) {
    const char = text[index]!;
    const first = char <= '9' ? '0' : char <= 'Z' ? 'A' : 'a';
    radix.push(first === '0' ? 10 : 26);
    zero.push(first.charCodeAt(0));
    size *= first === '0' ? 10n : 26n;
    out[index] = first === '0' ? '\x00' : first === 'A' ? '\x01' : '\x02';
  }
  return size < SMALLEST_DOMAIN ? null : { at: inner, radix, zero, size, tweak: out.join('') };
}

function permuted(text: string, layout: Layout, key: Uint8Array, direction: 'encrypt' | 'decrypt'): string {
  const { at, radix, zero, size } = layout;
  let places = at.map((index, i) => text.charCodeAt(index) - zero[i]!);
  const tweak = Buffer.from(layout.tweak, 'latin1');
  if (radix.every((r) => r === 10)) {
    places = FF1(10, key, tweak)[direction](places);
  } else {
    const bits = (size - 1n).toString(2).length;
    const cipher = FF1(2, key, tweak);
    let number = 0n;
    for (const [i, place] of places.entries()) number = number * BigInt(radix[i]!) + BigInt(place);
    do {
      const numerals = number.toString(2).padStart(bits, '0').split('').map(Number);
      number = BigInt(`0b${cipher[direction](numerals).join('')}`);
    } while (number >= size);
    for (let i = places.length - 1; i >= 0; i -= 1) {
      places[i] = Number(number % BigInt(radix[i]!));
      number /= BigInt(radix[i]!);
    }
  }
  const out = text.split('');
  for (const [i, index] of at.entries()) out[index] = String.fromCharCode(zero[i]! + places[i]!);
  return out.join('');
}

interface Audience {
  readonly recipient: string;
  readonly purpose: string;
  readonly keys: TreatmentKeys;
}

const keyFor = (audience: Audience, id?: string): Uint8Array =>
  createHmac('sha256', audience.keys.secret('tokenize', id).bytes)
    .update(JSON.stringify(['sluice/tokenize/1', audience.recipient, audience.purpose]))
    .digest();

/**
 * Only parameters of the catalog are used. A token does not contain its parameters, so that one made with an answer's own `keep_first` would be
 * reversed to a wrong value without an error. An answer with other parameters than the catalog makes no token.
 */
export function optionsFor(entry: FieldEntry, choice: TreatmentChoice): Options {
  const { do: name, because } = choice;
  const options = optionsOf(merged(entry.tokenize, { do: name, because }));
  const asked = optionsOf(merged(entry.tokenize, choice));
  if (asked.first !== options.first || asked.last !== options.last)
    throw fault(
      'keep_first, keep_last: the catalog’s line alone may set them, or no token could be turned back',
    );
  return options;
}

export const tokenize: Treatment = {
  name: 'tokenize',
  prepare: (entry, choice, context: TreatmentContext) =>
    orDrop(() => {
      const options = optionsFor(entry, choice);
      const key = keyFor(context);
      return (value) => {
        if (value.kind === 'null') return { kind: 'null' };
        if (value.kind === 'container' || value.kind === 'boolean') return 'drop';
        if (value.text === '') return { kind: 'string', text: '' };
        const layout = layoutOf(value.text, options);
        return asString(layout === null ? null : permuted(value.text, layout, key, 'encrypt'));
      };
    }),
  recognise: (entry, choice) =>
    orRefuse(() => {
      const options = optionsFor(entry, choice);
      return (value) =>
        (value.kind === 'string' || value.kind === 'number') && layoutOf(value.text, options) !== null;
    }),
};

export interface DetokenizeContext extends Audience {
  /** the key of the token, if it is not the current one */
  readonly keyId?: string;
  /** `keep_first` and `keep_last` of the token */
  readonly parameters?: Parameters;
}

/**
 * Reverses a token. A token does not contain its origin: with another key, recipient, purpose or parameters the result is another value of the same
 * form.
 * @throws SluiceError `token_not_reversible` if the text cannot be a token, `treatment_key_unknown`, `catalog_invalid`
 */
export function detokenize(
  token: string,
  context: DetokenizeContext,
): { readonly value: string; readonly key: string } {
  const options = optionsOf(context.parameters ?? {});
  const { id } = context.keys.secret('tokenize', context.keyId);
  const layout = layoutOf(token, options);
  if (layout === null)
    throw new SluiceError(
      'token_not_reversible',
      'this text cannot be a token: it has fewer than 10^6 possibilities, is too long, or holds other than ASCII',
    );
  return { value: permuted(token, layout, keyFor(context, id), 'decrypt'), key: id };
}
