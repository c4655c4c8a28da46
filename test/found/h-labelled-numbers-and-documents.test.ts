/**
 * Class: numbers that a label names stayed readable, because their check digit is wrong or because the finder did not know the document,
 * although the mask does. Root cause: two lists of kinds, and a check digit asked for where a label says more.
 */
import { expect, test } from 'vitest';
import { DOCUMENTS } from '../../src/disclosure/treatments/masks/documents.ts';
import { createMask } from '../../src/disclosure/treatments/masks/kinds.ts';
import { scrubText } from '../../src/disclosure/treatments/scrub.ts';

test.each([
  ['卡号：6222020200012345671', '卡号：***************5671'],
  ['银行卡号是6222 0202 0001 2345 671', '银行卡号是**** **** **** ***5 671'],
  ['account no. 4111111111111112', 'account no. ************1112'],
  ['收款账户 110906234567890', '收款账户 ***********7890'],
  ['IBAN GB29NWBK60161331926810', 'IBAN GB****************6810'],
  ['身份证号：110101199003074519', '身份证号：110101********4519'],
  ['身份证：932682 19850101 0017', '身份证：932682 ******** 0017'],
  ['身份证号11010119900307451', '身份证号****'],
  ['HKID: A123456(9)', 'HKID: A12****(*)'],
])('masks a labelled number whose check digit is wrong: %s', (note, scrubbed) => {
  expect(scrubText(note)).toBe(scrubbed);
});

test.each([
  ['外国人永久居留身份证号码：932682198501010017', '外国人永久居留身份证号码：932682********0017'],
  ['永居证 USA110076061803', '永居证 USA********1803'],
  ['护照号：E12345678', '护照号：E******78'],
  ['护照为AB 1234567', '护照为A* *****67'],
  ['护照号C4VH8P2K1，德国籍', '护照号C******K1，德国籍'],
  ['Passport No. K1234567A', 'Passport No. K******7A'],
  ['C12345678（护照）', 'C******78（护照）'],
  ['回乡证H1234567801', '回乡证H********01'],
  ['港澳居民来往内地通行证：M12345678', '港澳居民来往内地通行证：M******78'],
  ['持港澳通行证C12345678', '持港澳通行证C******78'],
  ['台胞证号04718265', '台胞证号0*****65'],
  ['台湾居民居住证 830000199201300022', '台湾居民居住证 830000********0022'],
  ['军官证：军字第2001988号', '军官证：****'],
  ['士兵证号码 20019880', '士兵证号码 2*****80'],
  ['澳门身份证1234567(8)', '澳门身份证1******(*)'],
  ['统一证号 A800000014', '统一证号 A8*****014'],
  ['证件号码：E12345678', '证件号码：E******78'],
])('masks the document in %s', (note, scrubbed) => {
  expect(scrubText(note)).toBe(scrubbed);
});

test.each([
  '身份证尾号3321',
  '卡号后四位3321',
  '护照2本已收到',
  'order id no 12345678',
  '购物卡号123456789012',
  '证件照片20231105',
])('leaves what is no number of a document: %s', (note) => {
  expect(scrubText(note)).toBe(note);
});

/** one number of each kind in the table */
const EXAMPLES: { readonly [name: string]: string } = {
  'identity card of mainland China, residence permit, permanent residence card': '932682198501010017',
  'identity card of mainland China, before 1999': '110101900307451',
  "foreigner's permanent residence card, before 2023": 'USA110076061803',
  'identity card of Hong Kong': 'A123456(9)',
  'identity card of Macau': '1234567(8)',
  'identity card or residence permit of Taiwan': 'A123456780',
  'passport or travel permit': 'E12345678',
};

test.each(DOCUMENTS.map(({ name, mask }) => [name, mask] as const))(
  'what the mask knows as %s, scrub finds behind a label and masks in the same way',
  (name, mask) => {
    const number = EXAMPLES[name]!;
    const label = mask === 'passport' ? '护照' : '证件号码';
    expect(scrubText(`客户${label}：${number}，已核`)).toBe(
      `客户${label}：${createMask(mask).apply(number)}，已核`,
    );
  },
);
