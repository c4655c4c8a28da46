/** Vehicle plates of mainland China (GA 36-2018): province, office, five places, or six for new-energy vehicles. */
import { onlyKnown } from '../parameters.ts';
import { type Mask, type MaskParameters, maskOf } from './mask.ts';
import { NUMBER_WITHIN, type Shape } from './returned.ts';

export const PLATE_PROVINCES = '京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼';
const PLATE = new RegExp(
  `^( *[${PLATE_PROVINCES}][A-Z][ ·•・.-]?)([A-Z0-9*]{2,4}?)([A-Z0-9*]{2}|[A-Z0-9*][学警港澳挂试超])( *)$`,
  'i',
);

const SHAPE: Shape = {
  pattern: /^\p{Script=Han}?[A-Z]?\*[\p{L}\p{Nd}]{0,2}$/iu,
  sees: 'characters',
  within: NUMBER_WITHIN,
};

export function plate(parameters: MaskParameters): Mask {
  onlyKnown(parameters, []);
  return maskOf('plate', 'province, office and the last 2 places', SHAPE, (text) => {
    const found = PLATE.exec(
      text.replace(/[Ａ-Ｚａ-ｚ０-９]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0)),
    );
    if (found === null) return null;
    const [, head, hidden, tail, blank] = found;
    return hidden!.length < 3 ? null : `${head}${'*'.repeat(hidden!.length)}${tail}${blank}`;
  });
}
