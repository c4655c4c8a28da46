/** Finds Chinese names after a label (`姓名：张三`) and before a title (`王五先生`). Reads code units, since nearly every note has a label. */
import { PLATE_PROVINCES } from '../masks/plate.ts';
import { latinNameAt } from './english-words.ts';
import { CHINESE_LABELS, TITLES } from './labels.ts';
import { otherNameAt } from './other-scripts.ts';
import type { Span } from './span.ts';
import { isCompoundSurname, isSurname } from '../masks/surnames.ts';

const pairs = (words: string): ReadonlySet<string> => new Set(words.split('|'));

/** words about a name in its place: 姓名写错 */
const NOT_AFTER_NAMED = pairs(
  '写错|听不|拼音|不符|不对|不详|不明|不一|不清|有误|错误|错了|未填|没填|填写|填错|为空|保密|一致|核对|核实|缺失|待定|信息|同上|同名|登记|无法|正确|打错|输错|漏填|是否|地址|和电|及电|与身|和身|及身|写成|寫錯|錯誤|有誤|不詳|登記|必填|校验|匹配|相同|模糊|重复',
);
const isCapital = (unit: number): boolean => unit >= 0x41 && unit <= 0x5a;
const isLatin = (unit: number): boolean => isCapital(unit) || (unit >= 0x61 && unit <= 0x7a);
const HAN = /^\p{Script=Han}/u;

/** The number of code units of the ideograph at `at`, before `limit`; 0: none. */
function hanAt(text: string, at: number, limit: number): number {
  if (at >= limit) return 0;
  const unit = text.charCodeAt(at);
  if (unit >= 0x4e00 && unit <= 0x9fff) return 1;
  // the most frequent characters: ASCII, `、`, `。`, full-width forms
  if (unit < 0x2e80 || unit === 0x3001 || unit === 0x3002 || unit >= 0xff00) return 0;
  return HAN.exec(text.slice(at, Math.min(at + 2, limit)))?.[0].length ?? 0;
}

/** words after a name of two characters that are not its third character */
const NEXT_PAIRS = pairs(
  '来电|来访|来店|来函|来信|来说|致电|电话|电联|手机|反映|反馈|表示|咨询|投诉|要求|申请|办理|报案|提出|希望|身份|住址|地址|住在|号码|联系|今天|今日|昨天|昨日|刚才|目前|现在|同意|拒绝|确认|催促|催办|询问|购买|订购|下单|退货|退款|换货|签收|收到|反应|通过|告知|邮箱|卡号|车牌|生日|年龄|性别|本人|已经|曾经|和他|和她|和其|和我|与他|与她|与其|与我|以及|查询|授权|报名|提供|今年|去年|明年|代报|代办|代为|转告|转达|签字|签名|预约|预订|预定|补充|补交|提交|上传|更换|更改|修改|变更|取消|撤销|撤回|续保|投保|退保|理赔|出险|住院|就诊|出院|死亡|受伤|离职|承诺|还款|付款|汇款|转账|打款|领取|取件|寄来|寄出|委托|陪同|代领|代签|代收|到店|到场|驾驶|驾车|开车|名下|账户|帐户|账号|帐号|银行|信用|微信|支付|事发|于本|于今|于昨|本月|上月|上周|下周|周一|周二|周三|周四|周五|周六|周日|早上|上午|中午|下午|晚上|凌晨|收款|收货|来店|认为|觉得|声称|坚持|主张|答应|愿意|无法|不能|不愿|不肯|不满|情绪|态度|劳务|报销|發生|來電|來函|來信|致電|電話|電聯|手機|反映|查詢|諮詢|投訴|申請|辦理|報案|聯絡|聯繫|身份|身分|證件|確認|詢問|購買|退貨|換貨|簽收|郵箱|車牌|年齡|性別|已經|要求|表示|希望|改成|改为|改為|变更|更正|写成|寫成',
);
const isNextWord = (text: string): boolean =>
  text !== '' &&
  ((/^[男女]/.test(text) && !/^.[\p{Script=Han}]/u.test(text)) || NEXT_PAIRS.has(text.slice(0, 2)));
const NEXT_CHARS = '的了已说称在要想需请把被先是于对问打拨让给因又再也就不没未有会将从向与及或，。';
/** pairs that look like a name and are none */
export const NOT_NAMES = pairs(
  '高兴|高度|金额|全部|明天|明确|时间|方面|方便|安排|安全|应该|单号|单位|和平|成功|向我|于是|任何|任意|连续|包括|包裹|管理|解决|费用|查询|商品|师傅|关于|路上|文件|申请|严重|沙发|简单|项目|房屋|房间|万元|白色|黄色|金融|时候|平台|经理|服务|程序|程度|常用|余额|马上|符合|石油|谢谢|感谢|温馨|康复|江苏|江西|安徽|宁夏|云南|吉林|广东|方式|方案|华为|米家|龙卡|许多|许可|祝您|祝你|易损|顾客|阳台|边上|党员|边界|贺卡|农行|农业|司机|景区|宫颈|车主|车辆|车牌|连接|应当|白天|史无|方法|周一|周二|周三|周四|周五|周六|周日|周末|商家|商户|商城|商场|商务|管家|管道|房东|金卡|金牌|高级|高端|全款|全额|全新|全家|成人|成本|成都|成品|安装|常规|常见|常住|石家|车车|车损|车险|车型|车头|车尾|车身|车上|车祸|车门|车速|车架|万一|应急|冷静|单子|路口|路边|路段|时段|时效|时长|昨天|满意|强制|广告|牛奶|黄牛|蓝牙|柜台|单据|解释|解约|解绑|解除|金属|空调|雷达|温度|高温|江边|明细|明显|和解|和谐|平安|史上|連絡|聯絡|連接|連線|連續|時間|時候|時段|單號|單據|謝謝|費用|車牌|車主|車輛|車損|車禍|師傅|關於|關係|關閉|應該|應當|許多|許可|萬元|馬上|項目|簡單|顧客|黃色|黃金|華為|農業|農行|解決|解釋|解除|溫馨|賀卡|邊上|左侧|右侧|关闭|关注|关系|关机|连线|连续|易碎|经济|相关|单独|宫外|卫生|卫浴|牙齿|水管|米线|白酒|红酒|党委|司法|游戏|游客|路费|祝福|阳光|阳性|阴性|焦急|焦虑|辛苦|戴上|饶恕',
);

/** pairs whose second character looks like a surname: 感谢方先生 */
const NOT_BEFORE = pairs(
  '感谢|多谢|答谢|致谢|临时|及时|同时|当时|有时|公司|上司|公安|早安|晚安|平安|不安|如何|为何|全程|课程|流程|过程|对方|官方|地方|警方|我方|贵方|甲方|乙方|双方|资金|现金|押金|基金|租金|佣金|线路|马路|公路|电车|汽车|火车|货车|开车|提高|最高|机关|有关|相关|海关|容易|交易|贸易|由于|关于|属于|对于|位于|处于|在于|等于|拜托|麻烦',
);

/** beginnings of names without surnames: 扎西多吉, 斯琴高娃, 阿依古丽 */
const GIVEN_STARTS = pairs(
  '扎西|尼玛|次仁|卓玛|多吉|达瓦|洛桑|格桑|旦增|丹增|白玛|央金|索南|才让|仁增|贡布|顿珠|拉姆|平措|罗布|普布|边巴|米玛|拉巴|巴桑|强巴|曲珍|斯琴|其其|巴特|乌兰|哈斯|苏和|朝鲁|那仁|宝音|额尔|娜仁|萨仁|托娅|巴图|阿依|古丽|买买|艾力|吐尔|热依|迪丽|阿不|阿卜|努尔|帕提|木合|玉素|依明|艾合|麦麦|库尔|哈力|沙吾',
);
const LONGEST_GIVEN = 6;

const SPACED = /^[ \u3000]\p{Script=Han}{1,2}(?!\p{Script=Han})/u;
const SURNAME_BEHIND = /^[ \u3000](\p{Script=Han}{1,2})(?!\p{Script=Han})/u;
const isSurnameWord = (word: string): boolean => isSurname(word) || isCompoundSurname(word);
const DOTTED = /^[^·•・‧]{1,8}(?:[·•・‧][^·•・‧]{1,8})+/;
const DOTS = '·•・‧';
const FORMS_OF_ADDRESS = pairs('先生|女士|小姐|太太');
const OTHER_FORMS = pairs('师傅|老师|经理');
const NO_GIVEN = '的是在，总某';
const LONGEST_RUN = 24;

/** The ideographs at `at`, with middle dots between them. */
function runAt(text: string, at: number): string {
  const limit = Math.min(text.length, at + LONGEST_RUN);
  let end = at;
  for (;;) {
    const width = hanAt(text, end, limit);
    if (width > 0) end += width;
    else if (end < limit && DOTS.includes(text[end]!) && hanAt(text, end + 1, limit) > 0) end += 1;
    else return text.slice(at, end);
  }
}

const DOT = /[·•・‧]/;

/**
 * The length of the name at `at`; 0: none. `firm`: after a label that only names follow; `sure`: with a colon or similar in between.
 */
function nameAt(text: string, at: number, sure: boolean, firm: boolean): number {
  const run = runAt(text, at);
  if (run === '') return 0;
  if (DOT.test(run)) {
    const dotted = DOTTED.exec(run);
    if (dotted !== null) return dotted[0].length;
  }
  // 车浙A…: a car by its plate
  if (run.length === 2 && PLATE_PROVINCES.includes(run[1]!) && isLatin(text.charCodeAt(at + 2))) return 0;
  const ended = hanAt(text, at + run.length, Math.min(text.length, at + run.length + 1)) === 0;
  if (GIVEN_STARTS.has(run.slice(0, 2)) && run.length >= 3) {
    let length = 2;
    while (
      length < Math.min(run.length, LONGEST_GIVEN) &&
      !isNextWord(run.slice(length)) &&
      !NEXT_CHARS.includes(run[length]!)
    )
      length += 1;
    if (length >= 3) return length;
  }
  const surname = run.length >= 3 && isCompoundSurname(run.slice(0, 2)) ? 2 : isSurname(run[0]!) ? 1 : 0;
  // 王 五: legacy systems have a separate column for given names
  const spaced = sure && run.length === 1 && surname === 1 ? SPACED.exec(text.slice(at + 1, at + 5)) : null;
  if (spaced !== null) return 1 + spaced[0].length;
  // 伟 张: given name first
  const behind =
    sure && surname === 0 && run.length <= 2
      ? SURNAME_BEHIND.exec(text.slice(at + run.length, at + run.length + 4))
      : null;
  if (behind !== null && isSurnameWord(behind[1]!)) return run.length + behind[0].length;
  if (surname === 0) return sure && ended && run.length >= 2 && run.length <= 4 ? run.length : 0;
  if (NOT_NAMES.has(run.slice(0, 2))) return 0;
  if (
    (sure || (firm && run.length <= surname + 2)) &&
    ended &&
    run.length >= 2 &&
    run.length <= 4 &&
    !isNextWord(run.slice(surname + 1)) &&
    !(run.length > surname + 1 && isNextWord(run.slice(surname)))
  ) {
    const length = run.length - (FORMS_OF_ADDRESS.has(run.slice(-2)) ? 2 : 0);
    return length > surname ? length : 0;
  }
  const given = run.slice(surname);
  if (given === '' || NO_GIVEN.includes(given[0]!)) return 0;
  // 车浙A…: a car by its plate
  if (given.length === 1 && PLATE_PROVINCES.includes(given) && isLatin(text.charCodeAt(at + run.length)))
    return 0;
  if (given === '男' || given === '女') return surname + 1;
  if (isNextWord(given)) return 0;
  const pair = given.slice(0, 2);
  if (FORMS_OF_ADDRESS.has(pair) || OTHER_FORMS.has(pair)) return 0;
  const rest = given.slice(1);
  const second =
    rest === '' ||
    isNextWord(rest) ||
    NEXT_CHARS.includes(rest[0]!) ||
    FORMS_OF_ADDRESS.has(rest.slice(0, 2));
  return surname + (second ? 1 : 2);
}

/** The same after an English label, which is nearly always followed by a name. */
export const chineseNameAt = (text: string, at: number, linked: boolean): number =>
  nameAt(text, at, linked, true);

const LINK_REACH = 12;
const isBlank = (char: string): boolean => char === ' ' || char === '\t' || char === '\u3000';
const SURE_LINKS = ':：=＝是为叫由|｜/／';
/** the end of a label that is a member, an element or a heading: `"收货人":`, `<客户>`, `【联系人】` */
const CLOSING = '"”」】]>';
const SURE_OPENING = '"“「【[（(';
const OTHER_OPENING = "'‘";

/** A surname and a given name without another ideograph after them (except `收`, as on parcels). */
export function exactNameAt(text: string, at: number): number {
  const run = runAt(text, at);
  const length = run.length - (run.length > 2 && run.endsWith('收') ? 1 : 0);
  const name = run.slice(0, length);
  return DOT.test(name) || !isWholeName(name) ? 0 : length;
}

/** Two or three characters that begin with a surname, or four with a compound one, and are no other words. */
export function isWholeName(name: string): boolean {
  const surname = name.length >= 3 && isCompoundSurname(name.slice(0, 2)) ? 2 : 1;
  if (surname === 1 && !isSurname(name[0] ?? '')) return false;
  const given = name.slice(surname);
  return (
    given.length >= 1 &&
    given.length <= 2 &&
    !NOT_NAMES.has(name.slice(0, 2)) &&
    !NO_GIVEN.includes(given[0]!) &&
    (given === '男' || given === '女' || !isNextWord(given)) &&
    !(given.length === 2 && (FORMS_OF_ADDRESS.has(given) || OTHER_FORMS.has(given)))
  );
}

const MOST_LISTED = 8;

/** Names after another name and `、`: 霍建华、林心如 */
function listed(text: string, from: number, spans: Span[]): void {
  let at = from;
  for (let n = 0; n < MOST_LISTED && text[at] === '、'; n += 1) {
    const length = nameAt(text, at + 1, false, false);
    if (length < 2) return;
    spans.push({ entity: 'person_name', start: at + 1, end: at + 1 + length });
    at += 1 + length;
  }
}

function afterLabels(text: string, first: number, spans: Span[]): void {
  for (let i = first; i < text.length; i += 1) {
    const label = CHINESE_LABELS.at(text, i);
    if (label === null) continue;
    i += label.word.length;
    // between label and name: blanks, a colon or a verb, an opening quote or bracket
    const limit = Math.min(text.length, i + LINK_REACH);
    let linked = false;
    let start = i;
    if (start < limit && CLOSING.includes(text[start]!)) {
      linked = true;
      start += 1;
    }
    while (start < limit && isBlank(text[start]!)) start += 1;
    if (start < limit && SURE_LINKS.includes(text[start]!)) {
      linked = true;
      start += 1;
    }
    for (let n = 0; n < 3 && start < limit; n += 1, start += 1) {
      const char = text[start]!;
      if (SURE_OPENING.includes(char)) linked = true;
      else if (!isBlank(char) && !OTHER_OPENING.includes(char)) break;
    }
    linked ||= label.named && !(start === i && NOT_AFTER_NAMED.has(text.slice(i, i + 2)));
    const latin = isCapital(text.charCodeAt(start)) ? latinNameAt(text, start, label.firm, linked) : 0;
    const length =
      latin > 0
        ? latin
        : label.exact
          ? exactNameAt(text, start)
          : nameAt(text, start, label.firm && linked, label.firm) ||
            (label.firm && linked ? otherNameAt(text, start) : 0);
    if (length >= 2 && latin === 0) listed(text, start + length, spans);
    if (length >= 2) spans.push({ entity: 'person_name', start, end: start + length });
    i -= 1;
  }
}

const MOST_BEFORE = 6;
/** maximum length of a name without dots before a title */
const LONGEST_BEFORE = 4;

/** The ideographs that end at `end`, at most six code units. */
function hanBefore(text: string, end: number): string {
  const least = Math.max(0, end - MOST_BEFORE);
  let start = end;
  while (start > least) {
    const unit = text.charCodeAt(start - 1);
    if (unit >= 0x4e00 && unit <= 0x9fff) start -= 1;
    else if (unit < 0x2e80 || unit === 0x3001 || unit === 0x3002 || unit >= 0xff00) break;
    else return /\p{Script=Han}{0,6}$/u.exec(text.slice(least, end))![0];
  }
  return text.slice(start, end);
}

function beforeTitles(text: string, first: number, spans: Span[]): void {
  for (let i = first; i < text.length; i += 1) {
    const title = TITLES.at(text, i);
    if (title === null) continue;
    const before = hanBefore(text, i);
    const dotted = DOTS.includes(text[i - before.length - 1] ?? ' ')
      ? hanBefore(text, i - before.length - 1)
      : '';
    if (before !== '' && dotted !== '') {
      spans.push({ entity: 'person_name', start: i - before.length - 1 - dotted.length, end: i });
      i += title.word.length - 1;
      continue;
    }
    for (let length = Math.min(before.length, LONGEST_BEFORE); length >= 2; length -= 1) {
      const name = before.slice(-length);
      if (NOT_NAMES.has(name.slice(0, 2))) continue;
      const compound = length >= 3 && isCompoundSurname(name.slice(0, 2));
      if (length === 4 && !compound) continue;
      if (compound || (isSurname(name[0]!) && !NOT_BEFORE.has(before.slice(-length - 1, 1 - length)))) {
        spans.push({ entity: 'person_name', start: i - length, end: i });
        break;
      }
    }
    i += title.word.length - 1;
  }
}

/** @param label first possible position of a label; @param title of a title; -1: none */
export function findChineseNames(text: string, label: number, title: number, spans: Span[]): void {
  if (label >= 0) afterLabels(text, label, spans);
  if (title >= 0) beforeTitles(text, title, spans);
}
