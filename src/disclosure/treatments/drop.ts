/** `drop`: the field is removed with its name. */
import { DROP } from './prepared.ts';
import type { Treatment } from './treatment.ts';

export const drop: Treatment = {
  name: 'drop',
  containers: true,
  prepare: () => DROP,
  // a dropped field has no recognisable form; the policy decides whether it may be written
  recognise: () => () => false,
};
