/** The value of an unquoted word of YAML 1.1, as go-yaml (version 2) reads it. */
import { numberOf, type RegoValue } from '../../values.ts';
import { goInteger } from '../numbers/go-integers.ts';
import { fail } from '../operands.ts';

const YES = /^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const NO = /^(?:n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const NULL = /^(?:|~|null|Null|NULL)$/;
const FLOAT = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
const SPECIAL = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const MAX = 1n << 64n;
const MIN = -(1n << 63n);

const integer = (text: string): bigint | undefined => {
  const value = goInteger(text);
  return value !== undefined && value >= MIN && value < MAX ? value : undefined;
};

/** a double, spelled as Go's JSON writes it */
export const jsonNumber = (n: number): RegoValue => {
  const magnitude = Math.abs(n);
  if (n === 0) return Object.is(n, -0) ? numberOf('-0') : 0;
  if (magnitude >= 1e-6 && magnitude < 1e21) return numberOf(decimalText(n));
  return numberOf(n.toExponential());
};

const decimalText = (n: number): string => {
  const text = String(n);
  return /e/.test(text) ? n.toFixed(20).replace(/0+$/, '') : text;
};

/** @returns the value of an unquoted word */
export const resolve = (text: string): RegoValue => {
  if (NULL.test(text)) return null;
  if (YES.test(text)) return true;
  if (NO.test(text)) return false;
  if (SPECIAL.test(text)) return fail('JSON has no such number');
  if (/^[-+.\d]/.test(text)) {
    const plain = text.replaceAll('_', '');
    const whole = integer(plain);
    if (whole !== undefined) return numberOf(String(whole));
    if (FLOAT.test(plain)) {
      const n = Number(plain);
      if (Number.isFinite(n)) return jsonNumber(n);
    }
  }
  return text;
};
