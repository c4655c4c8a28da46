/** Labels and titles of names, indexed by first character, so that the text is compared only at possible positions. */
import { Words } from './words.ts';

/** labels that only names follow */
const SURE =
  '姓名|名字|户名|戶名|联系人|聯絡人|联络人|收货人|收件人|寄件人|发件人|持卡人|开户人|被保险人|被保人|投保人|受益人|申请人|报案人|' +
  '车主|业主|患者|签收人|经办人|代理人|担保人|户主|监护人|当事人|驾驶员|司机|家属|配偶|父亲|母亲|妻子|丈夫|儿子|女儿|我叫|名叫|叫做|名为|自称|' +
  '登记人|伤者|伤员|死者|目击者|目击人|证人|乘机人|乘车人|同行人|参保人|要保人|保户|机主|付款方|付款人|收款方|收款人|借款人|贷款人|出借人|保证人|出险人|' +
  '就诊人|产妇|预订人|预约人|入住人|订票人|订货人|下单人|购票人|报修人|委托人|受托人|代办人|法定代表人|法人|负责人|承租人|出租人|驾驶人|未成年人|' +
  '签字|签名|署名|实名|中文名|英文名|客户名|客户名字|姓名拼音|会员名|其子|其女|其夫|其妻|其父|其母|三者|' +
  '連絡人|收貨人|寄件人|開戶人|被保險人|申請人|報案人|保戶|車主|業主|簽收人|經辦人|擔保人|戶主|監護人|當事人|駕駛人|駕駛員|司機|家屬|機主|客戶名|客戶名字|負責人';
/** labels that are more often followed by something else */
const UNSURE =
  '客户|用户|顾客|会员|乘客|旅客|住户|租户|房东|学员|学生|家长|病人|员工|本人|来电人|致电人|投诉人|购买人|买家|店员|同事|朋友|邻居|老公|老婆|先生|女士|叫|我是|' +
  '租客|房客|室友|病患|孩子|小孩|妈妈|爸爸|爷爷|奶奶|外公|外婆|哥哥|弟弟|姐姐|妹妹|岳父|岳母|公公|婆婆|女婿|侄子|侄女|男友|女友|老人家|老人|夫妻|秘书|助理|高管|' +
  '甲方|乙方|前台称|店长|主管|客戶|用戶|顧客|會員|乘客|旅客|租戶|住戶|學員|學生|家長|員工|來電人|投訴人|買家|媽媽|爺爺';
/** words before a complete name that no other word follows: 改成韩东君， */
const EXACT =
  '改成|改为|变更为|更改为|更正为|应为|登记为|记为|写成|寄给|寄到|转给|转交|交给|兹证明|找|改為|變更為|應為|寄給|轉給';
/** with blanks inside, as in forms: 姓　　名 */
const SPACED = [' ', '\u3000'].flatMap((blank) => [1, 2, 3, 4].map((n) => `姓${blank.repeat(n)}名`));
const NAMED = ['姓名', '户名', '戶名', '名字', ...SPACED];

export interface Label {
  readonly word: string;
  /** only a name follows it */
  readonly firm: boolean;
  /** the label itself is about a name, so that a blank or a quote suffices instead of a colon */
  readonly named: boolean;
  /** a name follows only if no other word follows it */
  readonly exact: boolean;
}

export const CHINESE_LABELS = new Words<Label>([
  ...[...SURE.split('|'), ...SPACED].map((word) => ({
    word,
    firm: true,
    named: NAMED.includes(word),
    exact: false,
  })),
  ...UNSURE.split('|').map((word) => ({ word, firm: false, named: false, exact: false })),
  ...EXACT.split('|').map((word) => ({ word, firm: false, named: false, exact: true })),
]);

export const TITLES = new Words(
  '先生|女士|小姐|太太|师傅|老师|阿姨|大哥|大姐|同学|经理|主任|医生|師傅|老師|同學|經理|醫生'
    .split('|')
    .map((word) => ({ word })),
);

/** labels and titles are no names */
export const LABEL_WORDS: readonly string[] = [SURE, UNSURE, EXACT].flatMap((words) => words.split('|'));
