/**
 * Finds Chinese names without a label by a lexicon: segments a run of ideographs into words with the greatest product of probabilities, where a surname
 * with a given name is a word too, with a probability by its characters and the words next to it. This finds two of three names in notes
 * (`bench/RESULTS.md`).
 */
import { PROVINCES } from '../masks/china.ts';
import { COMPOUND_SURNAMES, isSurname } from '../masks/surnames.ts';
import { NOT_NAMES } from './chinese-names.ts';
import { LABEL_WORDS } from './labels.ts';
import { GIVEN, WORDS } from './lexicon-data.ts';
import type { Span } from './span.ts';

/** log of the total of the word frequencies */
const TOTAL = Math.log(60_101_750);
const LONGEST_WORD = 3;

function* rows(table: string): Generator<readonly [word: string, frequency: number]> {
  for (const line of table.trim().split('\n')) {
    const [length = '', power = '', words = ''] = line.split(' ');
    const width = Number(length);
    const logarithm = Number(power) * Math.LN2;
    for (let at = 0; at < words.length; at += width) yield [words.slice(at, at + width), logarithm];
  }
}

/** words of insurance and retail that the dictionary lacks, with the frequency of a common word */
const OF_THE_TRADE =
  '曾用名 英文名 中文名 车损 高管 承保 加费 加保 投保 被保 续保 核保 退保 查勘 定损 三者 报案 保单 保费 理赔 出险 险种 客诉 工单 回访 坐席 派单 转办 包邮 包裹 单号 下单 快递 签收 换货 全款 安装 师傅 时效 催件 余额 满减 柜台 网点 质保 保修 配件 工时 钣金 车架 车主 户名 关税 应发 应收 高中 车险 寿险 钱款 金额 司机 双方 冷静期 宽限期 何时 任何 方便 平安 和谐 温馨';

const keyOf = (text: string, at: number): number => text.charCodeAt(at) * 0x10000 + text.charCodeAt(at + 1);

/** log of the frequency of single characters; 0: unknown */
const SINGLE = new Float32Array(0x10000);
const PAIRS = new Map<number, number>();
const TRIPLES = new Map<string, number>();
/** first two characters of words of three */
const BEGINS = new Set<number>();
const PLACES = PROVINCES.flatMap(({ short, full, cities }) => [
  short,
  full,
  ...cities,
  ...cities.map((city) => city.slice(0, -1)),
]);

/** the frequency of a common word */
const COMMON = 8;

function fillWords(): void {
  for (const [word, logarithm] of rows(WORDS)) {
    if (word.length === 1) SINGLE[word.charCodeAt(0)] = logarithm;
    else if (word.length === 2) PAIRS.set(keyOf(word, 0), logarithm);
    else {
      TRIPLES.set(word, logarithm);
      BEGINS.add(keyOf(word, 0));
    }
  }
  for (const word of [...OF_THE_TRADE.split(' '), ...NOT_NAMES, ...LABEL_WORDS, ...PLACES]) {
    if (word.length === 2) PAIRS.set(keyOf(word, 0), Math.max(COMMON, PAIRS.get(keyOf(word, 0)) ?? 0));
    else if (word.length === 3) {
      TRIPLES.set(word, COMMON);
      BEGINS.add(keyOf(word, 0));
    }
  }
}

/** log of the probability of each character by its position in a given name */
function fillPlace(place: Float32Array, table: string): void {
  const entries = [...rows(table)];
  const sum = entries.reduce((all, [, logarithm]) => all + Math.exp(logarithm), 300);
  place.fill(Math.log(0.05 / sum));
  for (const [char, logarithm] of entries) place[char.charCodeAt(0)] = Math.log(Math.exp(logarithm) / sum);
}
const FIRST = new Float32Array(0x10000);
const SECOND = new Float32Array(0x10000);
const ONLY = new Float32Array(0x10000);

/** by frequency (Ministry of Public Security, 2020) */
const RANKED =
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤';
const SURNAME = new Float32Array(0x10000).fill(Number.NEGATIVE_INFINITY);

function fillSurnames(): void {
  for (let unit = 0x4e00; unit <= 0x9fff; unit += 1) {
    const char = String.fromCharCode(unit);
    if (!isSurname(char)) continue;
    const rank = RANKED.indexOf(char);
    SURNAME[unit] = rank < 0 ? -8.3 : Math.log(0.09 / (rank + 1.2) ** 0.93);
    STARTS[unit] = 1;
  }
  for (const word of [...NICKNAME, ...COMPOUND_SURNAMES]) STARTS[word.charCodeAt(0)] = 1;
}
const COMPOUND = -7.5;
const COMPOUNDS: ReadonlySet<number> = new Set([...COMPOUND_SURNAMES].map((pair) => keyOf(pair, 0)));

/** log of the probability that a word of a note is a name */
const PRIOR = -3.2;
const TWO_GIVEN = Math.log(0.8);
const ONE_GIVEN = Math.log(0.2);
/** weight of a position at an end of the run, or next to a word that occurs next to names */
const AT_END = 1.4;
const BESIDE = 2.6;
const NOT_BESIDE = -4;

const pairs = (words: string): ReadonlySet<number> => new Set(words.split(' ').map((word) => keyOf(word, 0)));
const chars = (text: string): ReadonlySet<number> => new Set(Array.from(text, (char) => char.charCodeAt(0)));
const LEFT = chars('由给和与跟让请找叫是对向被把替帮为问将经据催陪带送');
const LEFT_PAIRS = pairs(
  '客户 用户 会员 车主 患者 联系 通知 转给 交给 告知 邻居 同事 女儿 儿子 老公 老婆 妈妈 爸爸 哥哥 弟弟 姐姐 妹妹 朋友 律师 医生 经理 专员 务员 家属 司机 店长 勘员 损员 赔员 主任 师傅 护士 护工 房东 租客 工号 员工 坐席 法官 经手 复核 经办 名叫 我叫 孩子 同行 本人 小姐 先生 女士 投保 保人 益人 案人 驶员 件人 货人 员为 称是 自称 系人 护人 荐人 签字 冒充 属于 登记 改成 转账 得知 回访 致电 电联 联络 甲方 乙方 我方 头开 甥女 保安 交警 代表 秘书 委托 客服',
);
const RIGHT = chars(
  '说称的在来要去已未没把给和与跟也都又再对从向被让将因于是表反投申提打拿签收开做带拒同不还先叫问住为女男',
);
const RIGHT_PAIRS = pairs(
  '来电 来访 反映 反馈 表示 投诉 要求 申请 报案 提出 希望 拒绝 同意 签字 签收 先生 女士 小姐 师傅 经理 老师 阿姨 大姐 律师 医生 名下 本人 夫妇 投保 驾驶 陈述 代收 代签 代办 代领 情绪 态度 电话 手机 身份 否认 作证 顶班 跟进 负责 接待 处理 说明 认为 坚持 通过 个人',
);
/** words after names of places, firms or things */
const NOT_RIGHT = chars('路街道区县镇乡村市省州山河湖江桥店城园厂院校站港湾岛楼苑庄牌型款险');

const NICKNAMED = -9;
const LEAST = -44;
const NICKNAME = '小老阿';
/** first characters of names */
const STARTS = new Uint8Array(0x10000);

let isFilled = false;

/** The tables are filled for the first note: filling them takes a twentieth of the processor time of a start. */
function fill(): void {
  if (isFilled) return;
  isFilled = true;
  fillWords();
  fillPlace(FIRST, GIVEN.first);
  fillPlace(SECOND, GIVEN.second);
  fillPlace(ONLY, GIVEN.only);
  fillSurnames();
}
/** characters of traditional texts, whose words are not in the dictionary */
const TRADITIONAL =
  /[請這個們來說話電號碼聯絡連詢問單據費險賠償證書員種業務時間會過還沒對麼買賣車輛開關門現實體區鄉縣國廣東華為發達報處辦經濟費顧戶醫藥療辭職]/;

const isIdeograph = (unit: number): boolean => unit >= 0x4e00 && unit <= 0x9fff;

/** log of the likelihood ratio that the characters from `at` to `end` are a name, by their neighbours */
function beside(run: string, at: number, end: number): number {
  let sum = 0;
  if (at === 0) sum += AT_END;
  else if (LEFT.has(run.charCodeAt(at - 1)) || (at > 1 && LEFT_PAIRS.has(keyOf(run, at - 2)))) sum += BESIDE;
  if (end === run.length) sum += AT_END;
  else if (NOT_RIGHT.has(run.charCodeAt(end))) sum += NOT_BESIDE;
  else if (RIGHT.has(run.charCodeAt(end)) || (end + 1 < run.length && RIGHT_PAIRS.has(keyOf(run, end))))
    sum += BESIDE;
  return sum;
}

/** log of the probability that the characters from `at` are a name of `length`; -∞: impossible */
function nameOf(run: string, at: number, length: number): number {
  const unit = run.charCodeAt(at);
  const compound = length >= 3 && COMPOUNDS.has(keyOf(run, at));
  if (compound) {
    const only = length === 3 ? ONE_GIVEN + ONLY[run.charCodeAt(at + 2)]! : 0;
    return (
      COMPOUND +
      PRIOR +
      (only || TWO_GIVEN + FIRST[run.charCodeAt(at + 2)]! + SECOND[run.charCodeAt(at + 3)]!)
    );
  }
  const second = run.charCodeAt(at + 1);
  if (length === 2) {
    const surname = SURNAME[unit]! + PRIOR + ONE_GIVEN + ONLY[second]!;
    if (!NICKNAME.includes(run[at]!)) return surname;
    // 小王, 老李: all surnames are equally likely; 阿 precedes given names too
    const nickname =
      run[at] === '阿'
        ? -2
        : SURNAME[second]! > -8
          ? Math.max(SURNAME[second]!, -6)
          : Number.NEGATIVE_INFINITY;
    return Math.max(surname, NICKNAMED + nickname);
  }
  return length === 3
    ? SURNAME[unit]! + PRIOR + TWO_GIVEN + FIRST[second]! + SECOND[run.charCodeAt(at + 2)]!
    : Number.NEGATIVE_INFINITY;
}

const LONGEST_NAME = 4;
const LONGEST_RUN = 400;

/** the best segmentation up to each position: its score, the start of its last word, and whether that is a name */
const BEST = new Float64Array(LONGEST_RUN + 1);
const FROM = new Int32Array(LONGEST_RUN + 1);
const NAMED = new Uint8Array(LONGEST_RUN + 1);

function relax(at: number, end: number, worth: number, name: 0 | 1): void {
  const reached = BEST[at]! + worth;
  if (reached <= BEST[end]!) return;
  BEST[end] = reached;
  FROM[end] = at;
  NAMED[end] = name;
}

function inRun(run: string, base: number, spans: Span[]): void {
  const length = run.length;
  // most runs contain no possible name
  let any = false;
  for (let i = 0; i + 1 < length && !any; i += 1) any = STARTS[run.charCodeAt(i)] === 1;
  if (!any || TRADITIONAL.test(run)) return;
  BEST.fill(Number.NEGATIVE_INFINITY, 0, length + 1);
  BEST[0] = 0;
  for (let at = 0; at < length; at += 1) {
    relax(at, at + 1, (SINGLE[run.charCodeAt(at)] || 0.5) - TOTAL, 0);
    if (at + 1 === length) break;
    const key = keyOf(run, at);
    const pair = PAIRS.get(key);
    if (pair !== undefined) relax(at, at + 2, pair - TOTAL, 0);
    if (at + LONGEST_WORD <= length && BEGINS.has(key)) {
      const triple = TRIPLES.get(run.slice(at, at + LONGEST_WORD));
      if (triple !== undefined) relax(at, at + LONGEST_WORD, triple - TOTAL, 0);
    }
    if (STARTS[run.charCodeAt(at)] === 0) continue;
    for (let width = 2; width <= LONGEST_NAME && at + width <= length; width += 1) {
      const worth = nameOf(run, at, width);
      if (worth < LEAST) {
        if (width === 2 && worth === Number.NEGATIVE_INFINITY && !COMPOUNDS.has(key)) break;
        continue;
      }
      relax(at, at + width, worth + beside(run, at, at + width), 1);
    }
  }
  for (let end = length; end > 0; end = FROM[end]!)
    if (NAMED[end] === 1) spans.push({ entity: 'person_name', start: base + FROM[end]!, end: base + end });
}

/** The names in the runs of ideographs of a text; runs are split at `LONGEST_RUN`. */
export function findByLexicon(text: string, spans: Span[]): void {
  for (let at = 0; at < text.length; at += 1) {
    if (!isIdeograph(text.charCodeAt(at))) continue;
    let end = at + 1;
    while (end < text.length && end - at < LONGEST_RUN && isIdeograph(text.charCodeAt(end))) end += 1;
    if (end > at + 1) {
      fill();
      inRun(text.slice(at, end), at, spans);
    }
    at = end - 1;
  }
}
