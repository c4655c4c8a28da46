/** The witness of other logs, if one is configured. */
import type { Config } from '../config/index.ts';
import { createWitness, type LogWitness } from '../decision-log/tree/witness.ts';

export function openWitness(
  { decision_log: { witness } }: Config,
  around: Parameters<typeof createWitness>[1],
): LogWitness | null {
  return witness === undefined ? null : createWitness(witness, around);
}
