/**
 * The id of a data subject as a record spells it. A number goes by its value: systems that hold ids as doubles write `100.0` or `1.0E2` for 100, and
 * what somebody has refused must not depend on that.
 */
import type { Scalar } from '../../model/disclosure.ts';

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/;
/** longer ones are nobody's, and stay as they are spelled */
const DIGITS = 64;

/** null: it names nobody, as an empty text does where a system has no null */
export function subjectId({ kind, text }: Scalar): string | null {
  if (kind === 'string') return text === '' ? null : text;
  if (kind !== 'number') return null;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? [];
  if (whole === '' || (fraction === '' && exponent === '0')) return text === '-0' ? '0' : text;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return '0';
  const zeros = Number(exponent) - fraction.length;
  const significant = digits.replace(/(?<!0)0+$/, '');
  const trailing = zeros + digits.length - significant.length;
  if (trailing < 0 || significant.length + trailing > DIGITS) return text;
  return `${sign}${significant}${'0'.repeat(trailing)}`;
}
