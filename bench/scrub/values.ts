/** Values with valid check digits in the spellings people use, and the numbers beside them that are nobody's. */
import type { Random } from './random.ts';

const two = (n: number): string => String(n).padStart(2, '0');
const pick = (r: Random, ...of: readonly string[]): string => of[r.below(of.length)]!;

const AREAS = [
  '110101',
  '310115',
  '440305',
  '330106',
  '510104',
  '610113',
  '320583',
  '420106',
  '350203',
  '652301',
  '150102',
  '460105',
];

export function identityNumber(r: Random): string {
  const body =
    AREAS[r.below(AREAS.length)]! +
    String(1940 + r.below(72)) +
    two(1 + r.below(12)) +
    two(1 + r.below(28)) +
    r.digits(3);
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  const sum = [...body].reduce((total, digit, i) => total + Number(digit) * weights[i]!, 0);
  const id = body + '10X98765432'[sum % 11]!;
  switch (r.below(8)) {
    case 0:
      return `${id.slice(0, 6)} ${id.slice(6, 14)} ${id.slice(14)}`;
    case 1:
      return wide(id);
    case 2:
      return id.replace('X', 'x');
    default:
      return id;
  }
}

export const wide = (text: string): string =>
  text.replace(/[0-9A-Z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));

export function mobile(r: Random): string {
  const number = pick(r, '13', '15', '17', '18', '19') + r.digits(9);
  const [a, b, c] = [number.slice(0, 3), number.slice(3, 7), number.slice(7)];
  switch (r.below(12)) {
    case 0:
      return `${a} ${b} ${c}`;
    case 1:
      return `${a}-${b}-${c}`;
    case 2:
      return `+86 ${number}`;
    case 3:
      return `+86-${a}-${b}-${c}`;
    case 4:
      return wide(number);
    case 5:
      return `86${number}`;
    case 6:
      return `${number.slice(0, 4)} ${number.slice(4, 8)} ${number.slice(8)}`;
    case 7:
      return [...number].map((d) => '零一二三四五六七八九'[Number(d)]!).join('');
    default:
      return number;
  }
}

export function landline(r: Random): string {
  const [area, length] = r.chance(0.5)
    ? [pick(r, '010', '020', '021', '025', '028'), 8]
    : [pick(r, '0755', '0571', '0512', '0592'), r.chance(0.5) ? 8 : 7];
  const number = String(2 + r.below(7)) + r.digits(Number(length) - 1);
  return pick(
    r,
    `${area}-${number}`,
    `${area}${number}`,
    `(${area})${number}`,
    `${area} ${number}`,
    `+86-${area.slice(1)}-${number}`,
  );
}

export const american = (r: Random): string => {
  const [a, b, c] = [`${2 + r.below(8)}${r.digits(2)}`, `${2 + r.below(8)}${r.digits(2)}`, r.digits(4)];
  return pick(
    r,
    `(${a}) ${b}-${c}`,
    `${a}-${b}-${c}`,
    `+1 ${a} ${b} ${c}`,
    `${a}.${b}.${c}`,
    `1-${a}-${b}-${c}`,
  );
};

export const british = (r: Random): string =>
  pick(
    r,
    `+44 7${r.digits(3)} ${r.digits(6)}`,
    `+4420${r.digits(8)}`,
    `+44 (0)20 ${r.digits(4)} ${r.digits(4)}`,
  );

export function bankCard(r: Random): string {
  const prefix = pick(r, '622202', '621700', '622588', '4', '51', '54', '625965', '601382');
  const length = prefix.startsWith('6') && r.chance(0.5) ? 19 : 16;
  const body = prefix + r.digits(length - 1 - prefix.length);
  let sum = 0;
  for (let i = 0; i < body.length; i += 1) {
    const value = Number(body[body.length - 1 - i]);
    sum += i % 2 === 0 ? (value * 2 > 9 ? value * 2 - 9 : value * 2) : value;
  }
  const card = body + String((10 - (sum % 10)) % 10);
  switch (r.below(5)) {
    case 0:
      return card.replace(/(.{4})(?=.)/g, '$1 ');
    case 1:
      return card.replace(/(.{4})(?=.)/g, '$1-');
    case 2:
      return wide(card);
    default:
      return card;
  }
}

export const email = (r: Random): string =>
  pick(r, 'zhang', 'li.si', 'wang_wu', 'j.smith', 'mary-jane', 'qq', 'a', 'support.me+tag') +
  (r.chance(0.6) ? r.digits(1 + r.below(5)) : '') +
  '@' +
  pick(
    r,
    'qq.com',
    '163.com',
    'example.com',
    'mail.example.co.uk',
    'sina.com.cn',
    'my-firm.org',
    'GMAIL.COM',
  );

export function plate(r: Random): string {
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
  const place = pick(r, '粤', '京', '沪', '浙', '川', '苏', '鲁', '豫') + letters[r.below(letters.length)]!;
  const rest = r.chance(0.3)
    ? pick(r, 'D', 'F') + r.digits(5)
    : r.chance(0.5)
      ? r.digits(5)
      : r.digits(2) + letters[r.below(letters.length)]! + r.digits(2);
  return place + pick(r, '', '', '·', ' ') + rest;
}

/** about as common as in life; the last few are not in any short list */
const SURNAMES =
  '王王王李李李张张张刘刘陈陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛郗爨仝';
const GIVEN =
  '伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国红玉梅志文玲波峰飞鹏辉健宁俊凯浩然雨欣怡子涵梓轩思诗一诺可来和在安乐天佳琪晨曦东阳海燕春生';

export const chineseName = (r: Random): string => {
  const surname = r.chance(0.04)
    ? pick(r, '欧阳', '司马', '诸葛', '上官', '令狐')
    : SURNAMES[r.below([...SURNAMES].length)]!;
  const given = GIVEN[r.below(GIVEN.length)]! + (r.chance(0.7) ? GIVEN[r.below(GIVEN.length)]! : '');
  return surname + given;
};

export const minorityName = (r: Random): string =>
  `${pick(r, '阿卜杜拉', '古丽娜尔', '买买提', '迪丽热巴', '艾力')}·${pick(r, '买买提', '吐尔逊', '迪力木拉提', '热合曼')}`;

const FIRST = [
  'John',
  'Mary',
  'Wei',
  'Fatima',
  'José',
  'Siobhán',
  'Anne-Marie',
  'Raj',
  'Olga',
  'Liam',
  'Grace',
  'Hope',
];
const LAST = [
  'Smith',
  "O'Neill",
  'van Dyke',
  'Zhang',
  'García',
  'Müller',
  'Patel',
  'Johnson',
  'Ng',
  'Lee',
  'McDonald',
  'Brown',
];
export const englishName = (r: Random): string =>
  `${FIRST[r.below(FIRST.length)]!}${r.chance(0.15) ? ` ${'ABCDEJM'[r.below(7)]!}.` : ''} ${LAST[r.below(LAST.length)]!}`;
export const englishSurname = (r: Random): string => LAST[r.below(LAST.length)]!;

/** What looks like one of them and is not: orders, amounts, dates, parcels, hotlines, serial numbers, wrong check digits. */
export function decoy(r: Random): string {
  const date = `20${two(20 + r.below(6))}${two(1 + r.below(12))}${two(1 + r.below(28))}`;
  switch (r.below(20)) {
    case 0:
      return `订单号${date}${r.digits(6)}`;
    case 1:
      return `订单 DD${date}${r.digits(3)}`;
    case 2:
      return `金额${r.digits(4).replace(/^0/, '1')}.${r.digits(2)}元`;
    case 3:
      return `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)} ${two(r.below(24))}:${two(r.below(60))}`;
    case 4:
      return `快递单号SF${r.digits(13)}`;
    case 5:
      return `运单75${r.digits(12)}`;
    case 6:
      return `order no. ${r.digits(9)}`;
    case 7:
      return `invoice INV-${date}-${r.digits(4)}`;
    case 8:
      return `USD ${1 + r.below(9)},${r.digits(3)}.${r.digits(2)}`;
    case 9:
      return `400-${r.digits(3)}-${r.digits(4)}`;
    case 10:
      return `流水号${date}${r.digits(10)}`;
    case 11:
      return `tracking 1Z${r.digits(3)}AA${r.digits(10)}`;
    case 12:
      return `SN: ${r.digits(5)}-${r.digits(5)}`;
    case 13:
      return `版本${r.below(9)}.${r.below(20)}.${r.digits(3)}`;
    case 14:
      return `保单 P${date}${r.digits(7)}`;
    case 15: {
      // an identity number with a wrong check digit and no label
      const id = identityNumber(r).replace(/[^0-9X]/g, '');
      return id.length === 18 ? `编号${id.slice(0, 17)}${(Number(id[17]) + 1 || 0) % 10}` : `编号${date}`;
    }
    case 16:
      return `ticket #${r.digits(8)}`;
    case 17:
      return `${date.slice(0, 4)}年${1 + r.below(12)}月${1 + r.below(28)}日`;
    case 18:
      return `型号 XR${r.digits(4)}，共${r.below(30)}件`;
    default:
      return `@客服 第${r.below(9)}次`;
  }
}
