import { onlyKnown } from '../parameters.ts';
import { mobileBytes } from './bytes.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { TELEPHONE, telephones } from './telephone.ts';

/** fast path for mobile numbers of mainland China in the usual spelling, with the same result */
const PLAIN_MOBILE = /^1[3-9][0-9]{9}$/;

export function phone(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  const mask = maskOf(
    'phone',
    'prefix, first 3 and last 4 digits of a mobile; area code and last 4 of a landline; country code and last 4 elsewhere',
    TELEPHONE,
    (text) =>
      PLAIN_MOBILE.test(text) ? `${text.slice(0, 3)}****${text.slice(7)}` : telephones(text, 'mobile'),
  );
  return { ...mask, bytes: mobileBytes };
}
