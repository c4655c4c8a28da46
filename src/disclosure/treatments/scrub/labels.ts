/** Words beside which a name stands, by their first character, so that a text is asked for them where one could begin. */

/** a label that is followed by a name and by nothing else */
const SURE =
  '姓名|名字|户名|戶名|联系人|聯絡人|联络人|收货人|收件人|寄件人|发件人|持卡人|开户人|被保险人|被保人|投保人|受益人|申请人|报案人|' +
  '车主|业主|患者|签收人|经办人|代理人|担保人|户主|监护人|当事人|驾驶员|司机|家属|配偶|父亲|母亲|妻子|丈夫|儿子|女儿|我叫|名叫|叫做|名为|自称';
/** a label that is followed by other things more often */
const UNSURE =
  '客户|用户|顾客|会员|乘客|旅客|住户|租户|房东|学员|学生|家长|病人|员工|本人|来电人|致电人|投诉人|购买人|买家|店员|同事|朋友|邻居|老公|老婆|先生|女士|叫|我是';
const NAMED = ['姓名', '户名', '戶名', '名字'];

export interface Label {
  readonly word: string;
  /** only a name follows it */
  readonly firm: boolean;
  /** it says itself that it is about a name: what follows needs no colon */
  readonly named: boolean;
}

const LIKELY = 0x7ff;

/** Words that a text is asked for at every place: nearly always the first character alone says no. */
class Words<T extends { readonly word: string }> {
  readonly first = new Set<string>();
  readonly #candidates = new Map<number, T[]>();
  /** by the lower bits of the first character: most others have none of them */
  readonly #likely = new Uint8Array(LIKELY + 1);

  /** @param words of two that begin alike, the one to be tried first stands first */
  constructor(words: readonly T[]) {
    for (const word of words) {
      const unit = word.word.charCodeAt(0);
      this.first.add(word.word[0]!);
      this.#likely[unit & LIKELY] = 1;
      this.#candidates.set(unit, [...(this.#candidates.get(unit) ?? []), word]);
    }
  }

  /** the word that stands at `at` */
  at(text: string, at: number): T | null {
    const unit = text.charCodeAt(at);
    if (this.#likely[unit & LIKELY] === 0) return null;
    const candidates = this.#candidates.get(unit);
    if (candidates !== undefined)
      for (const candidate of candidates) if (text.startsWith(candidate.word, at)) return candidate;
    return null;
  }
}

export const CHINESE_LABELS = new Words<Label>([
  ...SURE.split('|').map((word) => ({ word, firm: true, named: NAMED.includes(word) })),
  ...UNSURE.split('|').map((word) => ({ word, firm: false, named: false })),
]);

export const TITLES = new Words(
  '先生|女士|小姐|太太|师傅|老师|阿姨|大哥|大姐|同学|经理|主任|医生'.split('|').map((word) => ({ word })),
);
