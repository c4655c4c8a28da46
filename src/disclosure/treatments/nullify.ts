/** `nullify`: a null in the value's place, so that the field's presence is told and nothing else. */
import type { Treatment } from './treatment.ts';

export const nullify: Treatment = {
  name: 'nullify',
  containers: true,
  prepare: () => () => ({ kind: 'null' }),
  // a client that sends back what it was shown would erase the value; an empty text is the null of CSV and forms
  recognise: () => (value) => value.kind === 'null' || (value.kind === 'string' && value.text.trim() === ''),
};
