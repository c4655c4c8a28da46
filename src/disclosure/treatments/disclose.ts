/** `disclose`: the value unchanged. The session copies its bytes and never calls this; it is for callers that treat a single value. */
import type { Treatment } from './treatment.ts';

export const disclose: Treatment = {
  name: 'disclose',
  prepare: () => (value) => {
    if (value.kind === 'null') return { kind: 'null' };
    // `Treated` has no booleans and containers
    return value.kind === 'string' || value.kind === 'number'
      ? { kind: value.kind, text: value.text }
      : 'drop';
  },
  recognise: () => () => false,
};
