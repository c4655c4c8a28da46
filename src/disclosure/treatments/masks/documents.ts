/**
 * The known identity documents, for the masks `national_id` and `passport` and for `scrub`: the form of their numbers, how much a mask shows, and
 * their labels in notes and forms.
 */

export interface DocumentKind {
  readonly name: string;
  readonly mask: 'national_id' | 'passport';
  /** matches a number in capitals without blanks and dashes, with stars at masked positions */
  readonly shape: RegExp;
  /** number of leading characters that a mask shows */
  readonly first: (number: string) => number;
  readonly last: (number: string) => number;
}

export const DOCUMENTS: readonly DocumentKind[] = [
  {
    // GB 11643-1999; so are residence permits of Hong Kong, Macau and Taiwan residents (81, 82, 83) and, since 2023, foreigners' cards (9)
    name: 'identity card of mainland China, residence permit, permanent residence card',
    mask: 'national_id',
    shape: /^[0-9*]{17}[0-9X*]$/,
    first: () => 6,
    last: () => 4,
  },
  {
    name: 'identity card of mainland China, before 1999',
    mask: 'national_id',
    shape: /^[0-9*]{15}$/,
    first: () => 6,
    last: () => 3,
  },
  {
    name: "foreigner's permanent residence card, before 2023",
    mask: 'national_id',
    shape: /^[A-Z]{3}[0-9*]{12}$/,
    first: () => 3,
    last: () => 4,
  },
  {
    // one or two letters, six digits, a check character, usually in brackets
    name: 'identity card of Hong Kong',
    mask: 'national_id',
    shape: /^[A-Z]{1,2}[0-9*]{6}(?:\([0-9A*]\)|[0-9A*])$/,
    first: (number) => number.search(/[^A-Z]/) + 2,
    last: () => 0,
  },
  {
    name: 'identity card of Macau',
    mask: 'national_id',
    shape: /^[1-9][0-9*]{6}\([0-9*]\)$/,
    first: () => 1,
    last: () => 0,
  },
  {
    // a letter for the place, a digit or letter for sex or kind of residence, eight digits
    name: 'identity card or residence permit of Taiwan',
    mask: 'national_id',
    shape: /^[A-Z][0-9A-D][0-9*]{8}$/,
    first: () => 2,
    last: () => 3,
  },
  {
    // ICAO 9303 gives passports at most nine characters; permits such as 回乡证 go to twelve
    name: 'passport or travel permit',
    mask: 'passport',
    shape: /^(?=(?:[A-Z]*[0-9*]){4})[A-Z0-9][A-Z0-9*]{5,11}$/,
    first: () => 1,
    last: (number) => (number.length < 8 ? 1 : 2),
  },
];

export const documentsOf = (mask: DocumentKind['mask']): readonly DocumentKind[] =>
  DOCUMENTS.filter((kind) => kind.mask === mask);

/** labels of documents whose number is masked as an identity number if it has that form */
export const IDENTITY_WORDS =
  '身份证|身份證|身分證|身分证|证件|證件|居留证|居留證|居留许可|居住证|居住證|居留身份证|驾驶证|駕駛證|驾照|駕照|统一证号|統一證號|永居证|公民身份|户口簿|戶口簿|户口本|' +
  '社会保障|社會保障|社保卡|社保号|社保编号|医保卡|医保号|医保编号|残疾人证|残疾证|老年证|老年优待证|学生证|工作证|주민등록번호';
export const TRAVEL_WORDS =
  '护照|護照|通行证|通行證|回乡证|回鄉證|回乡卡|回鄉卡|边民证|外交官证|台胞证|台胞證|臺胞證|旅行证|旅行證|签证号|签证号码|海员证|港澳证|台湾证|入台证|入台證|入境许可|入出境许可|出入境许可|出生证|出生医学证明';
/** military documents, some with a word before the number: 军字第1234567号 */
export const SERVICE_WORDS =
  '军官证|士兵证|军人证|军人身份证|军人保障卡|文职干部证|文职人员证|警官证|武警证|人民警察证|军校学员证|离休干部证|退休军人证|军官退休证|退伍证|复员证|结婚证|結婚證|离婚证|離婚證|独生子女证|軍官證|士兵證|軍人證|警官證';
