/** `mask`: hides part of a value by the rule of its kind (`masks/`). Without a kind in the catalog the complete value is hidden. */
import type { TreatmentChoice } from '../../model/answers.ts';
import type { FieldEntry } from '../../model/catalog.ts';
import { createMask } from './masks/kinds.ts';
import { HIDDEN, type Mask } from './masks/mask.ts';
import { fault } from './parameters.ts';
import { asString, merged, orDrop, orRefuse } from './prepared.ts';
import type { Treat, Treatment } from './treatment.ts';

export function maskFor(entry: FieldEntry, choice: TreatmentChoice): Mask {
  const catalog = typeof entry.mask === 'string' ? { kind: entry.mask } : entry.mask;
  const { kind = 'generic', ...parameters } = merged(catalog, choice, ['kind']);
  if (typeof kind !== 'string') throw fault('kind: the name of a mask is wanted');
  return createMask({ ...parameters, kind });
}

export const mask: Treatment = {
  name: 'mask',
  prepare: (entry, choice) =>
    orDrop(() => {
      const chosen = maskFor(entry, choice);
      const treat: Treat = (value) => {
        if (value.kind === 'container') return 'drop';
        if (value.kind === 'null') return { kind: 'null' };
        // any visible part of a boolean would reveal it
        return asString(value.kind === 'boolean' ? HIDDEN : chosen.apply(value.text));
      };
      return chosen.bytes === undefined ? treat : Object.assign(treat, { bytes: chosen.bytes });
    }),
  recognise: (entry, choice) =>
    orRefuse(() => {
      const chosen = maskFor(entry, choice);
      return (value) => value.kind === 'string' && chosen.recognises(value.text);
    }),
};
