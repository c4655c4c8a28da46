/**
 * Names of persons that the text itself points out: after a label (`姓名：张三`, `Name: John Smith`), before or after a title
 * (`王五先生`, `Mr. Smith`). A name found so is looked for in the rest of the text too. Names without any label are not found: that
 * would take a model of the language, and a field that holds them wants dropping.
 */
import type { Span } from './span.ts';
import { isCompoundSurname, isSurname } from './surnames.ts';

const HAN = /\p{Script=Han}/u;

/** a label that is followed by a name and by nothing else */
const SURE =
  '姓名|名字|户名|戶名|联系人|聯絡人|联络人|收货人|收件人|寄件人|发件人|持卡人|开户人|被保险人|被保人|投保人|受益人|申请人|报案人|' +
  '车主|业主|患者|签收人|经办人|代理人|担保人|户主|监护人|当事人|驾驶员|司机|家属|配偶|父亲|母亲|妻子|丈夫|儿子|女儿|我叫|名叫|叫做|名为|自称';
/** a label that is followed by other things more often */
const UNSURE =
  '客户|用户|顾客|会员|乘客|旅客|住户|租户|房东|学员|学生|家长|病人|员工|本人|来电人|致电人|投诉人|购买人|买家|店员|同事|朋友|邻居|老公|老婆|先生|女士|叫|我是';
const LABEL = new RegExp(`(${SURE})|(${UNSURE})`, 'g');
const NAME_LABEL = /(?:姓名|户名|戶名|名字)$/;
const AFTER_LABEL = /^(?:[ \t\u3000]*(?:[:：=]|为|是|叫)?[ \t\u3000"“'‘「【[（(]{0,3})/;
const TITLE = /先生|女士|小姐|太太|师傅|老师|阿姨|大哥|大姐|同学|经理|主任|医生/g;

/** words that follow a name of two characters and do not make it one of three */
const NEXT_WORDS =
  /^(?:来电|来访|来店|来函|来信|来说|致电|电话|电联|手机|反映|反馈|表示|咨询|投诉|要求|申请|办理|报案|提出|希望|身份|住址|地址|住在|号码|联系|今天|今日|昨天|昨日|刚才|目前|现在|同意|拒绝|确认|催促|催办|询问|购买|订购|下单|退货|退款|换货|签收|收到|反应|通过|告知|邮箱|卡号|车牌|生日|年龄|性别|本人|已经|曾经|和[他她其我]|与[他她其我]|以及|男|女)/;
const NEXT_CHARS = /^[的了已说称在要想需请把被先是于对问打拨让给因又再也就不没未有会将从向与及或，。]/;
/** pairs that look like surname and given name and are neither */
const NOT_NAMES =
  /^(?:高兴|高度|金额|全部|明天|明确|时间|方面|方便|安排|安全|应该|单号|单位|和平|成功|向我|于是|任何|任意|连续|包括|包裹|管理|解决|费用|查询|商品|师傅|关于|路上|文件|申请|严重|沙发|简单|项目|房屋|房间|万元|白色|黄色|金融|时候|平台|经理|服务|服务号|程序|程度|常用|余额|马上|符合|石油|谢谢|感谢|温馨|康复|江苏|江西|安徽|宁夏|云南|吉林|广东|方式|方案|华为|米家|龙卡|许多|许可|祝您|祝你|易损|顾客|阳台|边上|党员|边界|贺卡|农行|农业|司机|景区|宫颈|车主|车辆|车牌|连接|应当|白天|史无)/;

/** pairs whose second character looks like the surname of what follows: 感谢方先生 */
const NOT_BEFORE =
  /^(?:[感多答致]谢|[临及同当有]时|[公上]司|[公早晚平不]安|[如为]何|[全课流过]程|[对官地警我贵甲乙双]方|[资现押基租佣]金|[线马公]路|[电汽火货开]车|[提最]高|[机有相海]关|[容交贸]易|[由关属对位处在等]于|拜[托]|麻烦)$/;

const SPACED = /^[ \u3000]\p{Script=Han}{1,2}(?!\p{Script=Han})/u;

/**
 * How many characters at `at` are a name; 0 if none. `firm`: a label that only a name follows; `sure`: and a colon or the like between.
 */
function chineseName(text: string, at: number, sure: boolean, firm: boolean): number {
  const run = /^(?:\p{Script=Han}|[·•・‧](?=\p{Script=Han})){1,24}/u.exec(text.slice(at, at + 24))?.[0] ?? '';
  const dotted = /^[^·•・‧]{1,8}(?:[·•・‧][^·•・‧]{1,8})+/.exec(run);
  if (dotted !== null) return dotted[0].length;
  const ended = at + run.length >= text.length || !HAN.test(text[at + run.length] ?? '');
  const surname = run.length >= 3 && isCompoundSurname(run.slice(0, 2)) ? 2 : isSurname(run[0] ?? '') ? 1 : 0;
  // 王 五: old systems keep given names in a column of their own
  const spaced = sure && run.length === 1 && surname === 1 ? SPACED.exec(text.slice(at + 1, at + 5)) : null;
  if (spaced !== null) return 1 + spaced[0].length;
  if (surname === 0) return sure && ended && run.length >= 2 && run.length <= 4 ? run.length : 0;
  if (NOT_NAMES.test(run)) return 0;
  if (
    (sure || (firm && run.length <= surname + 2)) &&
    ended &&
    run.length >= 2 &&
    run.length <= 4 &&
    !NEXT_WORDS.test(run.slice(surname + 1))
  ) {
    const title = /(?:先生|女士|小姐|太太)$/.exec(run);
    const length = run.length - (title === null ? 0 : 2);
    return length > surname ? length : 0;
  }
  const given = run.slice(surname);
  if (
    given === '' ||
    NEXT_WORDS.test(given) ||
    /^(?:先生|女士|小姐|太太|师傅|老师|经理|[的是在，总某])/.test(given)
  )
    return 0;
  const rest = given.slice(1);
  const second =
    rest === '' || NEXT_WORDS.test(rest) || NEXT_CHARS.test(rest) || /^(?:先生|女士|小姐|太太)/.test(rest);
  return surname + (second ? 1 : 2);
}

function* chineseNames(text: string): Generator<Span> {
  for (const found of text.matchAll(LABEL)) {
    const after = found.index + found[0].length;
    const link = AFTER_LABEL.exec(text.slice(after, after + 12))![0];
    const start = after + link.length;
    const firm = found[1] !== undefined;
    const sure = firm && (NAME_LABEL.test(found[0]) || /[:：=是为叫"“「【（([]/.test(link));
    const length = chineseName(text, start, sure, firm);
    if (length >= 2) yield { entity: 'person_name', start, end: start + length };
  }
  for (const found of text.matchAll(TITLE)) {
    const before = /\p{Script=Han}{0,4}$/u.exec(text.slice(Math.max(0, found.index - 4), found.index))![0];
    for (const length of [4, 3, 2]) {
      const name = before.slice(-length);
      if (name.length < length || NOT_NAMES.test(name)) continue;
      const compound = length >= 3 && isCompoundSurname(name.slice(0, 2));
      if (length === 4 && !compound) continue;
      if (compound || (isSurname(name[0]!) && !NOT_BEFORE.test(before.slice(-length - 1, 1 - length)))) {
        yield { entity: 'person_name', start: found.index - length, end: found.index };
        break;
      }
    }
  }
}

const PARTICLE =
  '(?:(?:van|von|der|den|de|da|di|du|del|della|la|le|el|al|bin|ibn|ben|ter|ten|dos|das|y)[ \\t])';
const WORD = `${PARTICLE}{0,2}\\p{Lu}[\\p{L}\\p{M}'’-]*\\.?`;
const ANY_WORD = "[\\p{L}][\\p{L}\\p{M}'’-]*\\.?";
const ENGLISH_TITLE = new RegExp(
  `\\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Madam|Mister)\\b\\.?[ \\t]{1,2}(${WORD}(?:[ \\t]${WORD}){0,2})`,
  'gu',
);
const ENGLISH_LABEL =
  /\b(?:my name is|contact person|card ?holder|account holder|policy ?holder|spoke (?:with|to)|speaking (?:with|to)|called by|signed by|this is|i am|i'm|name|customer|client|caller|contact|recipient|receiver|attn|beneficiary|insured|driver|patient|owner|applicant|claimant|consignee|passenger|spouse|wife|husband|mother|father|son|daughter)\b/giu;
const AFTER_ENGLISH_LABEL = /^(?: is| was)?[ \t]*[:=-]?[ \t]{0,3}["“'(]?/i;
const CAPITALISED = new RegExp(`^${WORD}(?:[ \\t]${WORD}){0,3}`, 'u');
const ANY_WORDS = new RegExp(`^${ANY_WORD}(?:[ \\t]${ANY_WORD}){0,2}`, 'u');
/** `product name: …` names no person */
const OTHER_NAMES =
  /\b(?:product|file|brand|company|model|item|store|shop|plan|user|host|domain|event|campaign|bank|branch|display|project|street|city|hotel|course|service|package|device|app|account|order)[ _-]?$/i;
const NO_NAME =
  /^(?:The|A|An|Service|Services|Support|Care|Team|Number|No|Id|ID|Phone|Email|Address|Order|Account|Card|Desk|Center|Centre|Details|Info|Information|Us|Called|Says|Said|Wants|Reports|Not|Very|Will|Would|Has|Is|Was|Please|Calling|Regarding|About|Happy|Sorry|Policy|Name|Date|Time|Ticket|Case|Reference|Ref|Customer|Request|Requested|Complaint|Refund|Due|N|Unknown|None|Yes|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|January|February|March|April|May|June|July|August|September|October|November|December|I|We|He|She|They|It|In|On|At|To|For|From|With)(?![\p{L}'’-])/u;
const TITLE_BEFORE = /^(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof)\b\.?[ \t]*/;

/** The words up to the first that is no part of a name. */
function trimmed(words: string): number {
  let end = 0;
  for (const found of words.matchAll(/[^ \t]+/g)) {
    if (end === 0 || found[0].length > 2 ? NO_NAME.test(found[0]) : false) break;
    end = found.index + found[0].length;
    if (found[0].endsWith('.') && found[0].length > 3) {
      end -= 1;
      break;
    }
  }
  return words[end - 1] === '.' && end > 2 ? end - 1 : end;
}

/** what every English title or label has at least one of; with `i` and `u`, ſ is an s and the Kelvin sign a k */
const LATIN = /[A-Za-z\u017f\u212a]/;

function* englishNames(text: string): Generator<Span> {
  if (!LATIN.test(text)) return;
  for (const found of text.matchAll(ENGLISH_TITLE)) {
    const start = found.index + found[0].length - found[1]!.length;
    const length = trimmed(found[1]!);
    if (length > 1) yield { entity: 'person_name', start, end: start + length };
  }
  for (const found of text.matchAll(ENGLISH_LABEL)) {
    const label = found[0].toLowerCase();
    if (label === 'name' && OTHER_NAMES.test(text.slice(Math.max(0, found.index - 10), found.index)))
      continue;
    const after = found.index + found[0].length;
    const link = AFTER_ENGLISH_LABEL.exec(text.slice(after, after + 16))![0];
    let start = after + link.length;
    start += TITLE_BEFORE.exec(text.slice(start, start + 8))?.[0].length ?? 0;
    const ahead = text.slice(start, start + 120);
    const named = /[:=]/.test(link) || / is\b/i.test(link);
    const capitals = CAPITALISED.exec(ahead)?.[0] ?? '';
    let length = trimmed(capitals);
    if (length === 0 && capitals === '' && label.endsWith('name') && /[:=]/.test(link))
      length = ANY_WORDS.exec(ahead)?.[0].length ?? 0;
    const words = ahead.slice(0, length).split(/[ \t]/).length;
    const sure =
      named ||
      label.endsWith('name') ||
      label.startsWith('sp') ||
      label.endsWith('by') ||
      label === 'my name is';
    if (length > 1 && (sure || words >= 2)) yield { entity: 'person_name', start, end: start + length };
  }
}

/** so that a text with thousands of names stays linear */
const MOST_REPEATED = 8;

export function findNames(text: string): Span[] {
  const spans = [...chineseNames(text), ...englishNames(text)];
  const names = new Set<string>();
  for (const { start, end } of spans) {
    const name = text.slice(start, end);
    if (name.length >= (HAN.test(name) ? 2 : 4)) names.add(name);
    if (names.size === MOST_REPEATED) break;
  }
  for (const name of names) {
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length))
      spans.push({ entity: 'person_name', start: at, end: at + name.length });
  }
  return spans;
}
