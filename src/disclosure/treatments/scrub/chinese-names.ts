/** Chinese names: after a label (`姓名：张三`), before a title (`王五先生`). Read unit by unit: nearly every note has a label. */
import { CHINESE_LABELS, TITLES } from './labels.ts';
import type { Span } from './span.ts';
import { isCompoundSurname, isSurname } from './surnames.ts';

const HAN = /^\p{Script=Han}/u;

/** How many units of `text` the ideograph at `at` takes, all of them before `limit`; 0: none stands there. */
function hanAt(text: string, at: number, limit: number): number {
  if (at >= limit) return 0;
  const unit = text.charCodeAt(at);
  if (unit >= 0x4e00 && unit <= 0x9fff) return 1;
  // what stands there most: ASCII, `、`, `。`, full-width forms
  if (unit < 0x2e80 || unit === 0x3001 || unit === 0x3002 || unit >= 0xff00) return 0;
  return HAN.exec(text.slice(at, Math.min(at + 2, limit)))?.[0].length ?? 0;
}

const pairs = (words: string): ReadonlySet<string> => new Set(words.split('|'));

/** words that follow a name of two characters and do not make it one of three */
const NEXT_PAIRS = pairs(
  '来电|来访|来店|来函|来信|来说|致电|电话|电联|手机|反映|反馈|表示|咨询|投诉|要求|申请|办理|报案|提出|希望|身份|住址|地址|住在|号码|联系|今天|今日|昨天|昨日|刚才|目前|现在|同意|拒绝|确认|催促|催办|询问|购买|订购|下单|退货|退款|换货|签收|收到|反应|通过|告知|邮箱|卡号|车牌|生日|年龄|性别|本人|已经|曾经|和他|和她|和其|和我|与他|与她|与其|与我|以及',
);
const isNextWord = (text: string): boolean =>
  text !== '' && (text[0] === '男' || text[0] === '女' || NEXT_PAIRS.has(text.slice(0, 2)));
const NEXT_CHARS = '的了已说称在要想需请把被先是于对问打拨让给因又再也就不没未有会将从向与及或，。';
/** pairs that look like surname and given name and are neither */
const NOT_NAMES = pairs(
  '高兴|高度|金额|全部|明天|明确|时间|方面|方便|安排|安全|应该|单号|单位|和平|成功|向我|于是|任何|任意|连续|包括|包裹|管理|解决|费用|查询|商品|师傅|关于|路上|文件|申请|严重|沙发|简单|项目|房屋|房间|万元|白色|黄色|金融|时候|平台|经理|服务|程序|程度|常用|余额|马上|符合|石油|谢谢|感谢|温馨|康复|江苏|江西|安徽|宁夏|云南|吉林|广东|方式|方案|华为|米家|龙卡|许多|许可|祝您|祝你|易损|顾客|阳台|边上|党员|边界|贺卡|农行|农业|司机|景区|宫颈|车主|车辆|车牌|连接|应当|白天|史无',
);

/** pairs whose second character looks like the surname of what follows: 感谢方先生 */
const NOT_BEFORE = pairs(
  '感谢|多谢|答谢|致谢|临时|及时|同时|当时|有时|公司|上司|公安|早安|晚安|平安|不安|如何|为何|全程|课程|流程|过程|对方|官方|地方|警方|我方|贵方|甲方|乙方|双方|资金|现金|押金|基金|租金|佣金|线路|马路|公路|电车|汽车|火车|货车|开车|提高|最高|机关|有关|相关|海关|容易|交易|贸易|由于|关于|属于|对于|位于|处于|在于|等于|拜托|麻烦',
);

const SPACED = /^[ \u3000]\p{Script=Han}{1,2}(?!\p{Script=Han})/u;
const DOTTED = /^[^·•・‧]{1,8}(?:[·•・‧][^·•・‧]{1,8})+/;
const DOTS = '·•・‧';
const FORMS_OF_ADDRESS = pairs('先生|女士|小姐|太太');
const OTHER_FORMS = pairs('师傅|老师|经理');
const NO_GIVEN = '的是在，总某';
const LONGEST_RUN = 24;

/** The ideographs at `at`, with the middle dots between two of them. */
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
 * How many characters at `at` are a name; 0 if none. `firm`: a label that only a name follows; `sure`: and a colon or the like between.
 */
function nameAt(text: string, at: number, sure: boolean, firm: boolean): number {
  const run = runAt(text, at);
  if (run === '') return 0;
  if (DOT.test(run)) {
    const dotted = DOTTED.exec(run);
    if (dotted !== null) return dotted[0].length;
  }
  const ended = hanAt(text, at + run.length, Math.min(text.length, at + run.length + 1)) === 0;
  const surname = run.length >= 3 && isCompoundSurname(run.slice(0, 2)) ? 2 : isSurname(run[0]!) ? 1 : 0;
  // 王 五: old systems keep given names in a column of their own
  const spaced = sure && run.length === 1 && surname === 1 ? SPACED.exec(text.slice(at + 1, at + 5)) : null;
  if (spaced !== null) return 1 + spaced[0].length;
  if (surname === 0) return sure && ended && run.length >= 2 && run.length <= 4 ? run.length : 0;
  if (NOT_NAMES.has(run.slice(0, 2))) return 0;
  if (
    (sure || (firm && run.length <= surname + 2)) &&
    ended &&
    run.length >= 2 &&
    run.length <= 4 &&
    !isNextWord(run.slice(surname + 1))
  ) {
    const length = run.length - (FORMS_OF_ADDRESS.has(run.slice(-2)) ? 2 : 0);
    return length > surname ? length : 0;
  }
  const given = run.slice(surname);
  if (given === '' || isNextWord(given) || NO_GIVEN.includes(given[0]!)) return 0;
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

const LINK_REACH = 12;
const isBlank = (char: string): boolean => char === ' ' || char === '\t' || char === '\u3000';
const SURE_LINKS = ':：=是为叫';
const SURE_OPENING = '"“「【[（(';
const OTHER_OPENING = "'‘";

function afterLabels(text: string, first: number, spans: Span[]): void {
  for (let i = first; i < text.length; i += 1) {
    const label = CHINESE_LABELS.at(text, i);
    if (label === null) continue;
    i += label.word.length;
    // what may stand between a label and the name: blanks, a colon or a verb, an opening quote or bracket
    const limit = Math.min(text.length, i + LINK_REACH);
    let linked = label.named;
    let start = i;
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
    const length = nameAt(text, start, label.firm && linked, label.firm);
    if (length >= 2) spans.push({ entity: 'person_name', start, end: start + length });
    i -= 1;
  }
}

const MOST_BEFORE = 4;

/** The ideographs that end where `end` is, four units at most. */
function hanBefore(text: string, end: number): string {
  const least = Math.max(0, end - MOST_BEFORE);
  let start = end;
  while (start > least) {
    const unit = text.charCodeAt(start - 1);
    if (unit >= 0x4e00 && unit <= 0x9fff) start -= 1;
    else if (unit < 0x2e80 || unit === 0x3001 || unit === 0x3002 || unit >= 0xff00) break;
    else return /\p{Script=Han}{0,4}$/u.exec(text.slice(least, end))![0];
  }
  return text.slice(start, end);
}

function beforeTitles(text: string, first: number, spans: Span[]): void {
  for (let i = first; i < text.length; i += 1) {
    const title = TITLES.at(text, i);
    if (title === null) continue;
    const before = hanBefore(text, i);
    for (let length = before.length; length >= 2; length -= 1) {
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

/** @param label where the first label could begin, @param title where the first title could; -1: nowhere */
export function findChineseNames(text: string, label: number, title: number, spans: Span[]): void {
  if (label >= 0) afterLabels(text, label, spans);
  if (title >= 0) beforeTitles(text, title, spans);
}
