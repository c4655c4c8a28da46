/** `drop`: the field is left out with its name. */
import { DROP } from './prepared.ts';
import type { Treatment } from './treatment.ts';

export const drop: Treatment = {
  name: 'drop',
  containers: true,
  prepare: () => DROP,
  // the caller was shown no shape; whether it may write the field at all is the policy's to say
  recognise: () => () => false,
};
