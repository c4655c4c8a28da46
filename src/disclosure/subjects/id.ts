/**
 * The id of a data subject by a value of a record. A number is normalized: systems that store ids as doubles write `100.0` or `1.0E2` for 100, and
 * a person's consents must not depend on the spelling.
 */
import type { Scalar } from '../../model/disclosure.ts';

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/;
/** longer numbers are not normalized */
const DIGITS = 64;

/** Null: the value names nobody. Some systems use an empty text for null. */
export function subjectId({ kind, text }: Scalar): string | null {
  if (kind === 'string') return text === '' ? null : text;
  if (kind !== 'number') return null;
  const [, sign = '', integer = '', fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? [];
  if (integer === '' || (fraction === '' && exponent === '0')) return text === '-0' ? '0' : text;
  const digits = `${integer}${fraction}`.replace(/^0+/, '');
  if (digits === '') return '0';
  const zeros = Number(exponent) - fraction.length;
  const significant = digits.replace(/(?<!0)0+$/, '');
  const trailing = zeros + digits.length - significant.length;
  if (trailing < 0 || significant.length + trailing > DIGITS) return text;
  return `${sign}${significant}${'0'.repeat(trailing)}`;
}
