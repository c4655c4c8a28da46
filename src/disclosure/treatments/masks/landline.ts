import { onlyKnown } from '../parameters.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { TELEPHONE, telephones } from './telephone.ts';

export function landline(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  return maskOf('landline', 'area code and last 4 digits (3 of a number of seven)', TELEPHONE, (text) =>
    telephones(text, 'landline'),
  );
}
