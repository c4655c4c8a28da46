import { onlyKnown } from '../parameters.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { telephones } from './telephone.ts';

export function phone(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  return maskOf(
    'phone',
    'prefix, first 3 and last 4 digits of a mobile; area code and last 4 of a landline; country code and last 4 elsewhere',
    (text) => telephones(text, 'mobile'),
  );
}
