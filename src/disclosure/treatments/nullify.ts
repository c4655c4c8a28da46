/** `nullify`: replaces the value by null, so that only the presence of the field is visible. */
import type { Treatment } from './treatment.ts';

export const nullify: Treatment = {
  name: 'nullify',
  containers: true,
  prepare: () => () => ({ kind: 'null' }),
  // a client that sends the null back would erase the value; an empty text is the null of CSV and forms
  recognise: () => (value) => value.kind === 'null' || (value.kind === 'string' && value.text.trim() === ''),
};
