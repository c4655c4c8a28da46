/** JSON in the value of a parameter. */
import { parseJson } from '../body/json.ts';
import type { Reading } from './grammar.ts';

const DEPTH = 20;

/** Rejects duplicate names, since readers disagree which one counts. */
export function jsonText(text: string, reading: Reading): unknown {
  try {
    return parseJson(text, DEPTH);
  } catch {
    return reading.refuse(`is not JSON, has a name twice, or is nested more than ${DEPTH} levels deep`);
  }
}
