/** `disclose`: the value as it is. The engine copies its bytes and never comes here; this is for those who treat a value alone. */
import type { Treatment } from './treatment.ts';

export const disclose: Treatment = {
  name: 'disclose',
  prepare: () => (value) => {
    if (value.kind === 'null') return { kind: 'null' };
    // `Treated` has no boolean and no container: only bytes that are copied can be one
    return value.kind === 'string' || value.kind === 'number'
      ? { kind: value.kind, text: value.text }
      : 'drop';
  },
  recognise: () => () => false,
};
