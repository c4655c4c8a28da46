/**
 * Finds names in Latin letters without a label: a common given name (`call Dave back`, `Harriet Jones`) or a Chinese name in pinyin (`Zhang Guohua`,
 * `SU XIAOLEI`). Given names that are also words, places or brands are not in the list.
 */
import { isNoNameWord } from './english-words.ts';
import type { Span } from './span.ts';

const GIVEN = new Set(
  (
    'aaron abigail adam adrian agnes alan albert alejandro alex alexander alexandra alfred alice alicia alison allison amanda amy ana anders andrea andreas andrew andy angela angelica anita ann anna anne ' +
    'annie anthony antonio arjun arnold arthur ashley astrid audrey barbara barry beatrice becky ben benjamin bernard beth betty beverly bill billy bob bobby brandon brenda brian bruce bryan camila carl carla carlos carmen carol ' +
    'caroline carolyn carrie cassandra catherine cathy cecilia charles charlie charlotte cheryl chloe chris christian christina christine christopher cindy claire clara claudia colin connie craig crystal cynthia daisuke dan daniel ' +
    'danielle danny dave david dawn debbie deborah dennis derek diana diane diego dmitri dominic donald donna doris dorothy doug douglas dylan ed eddie edgar edith edward edwin eileen elaine eleanor elena elizabeth ella ellen emily ' +
    'emma eric erica erik ernest esther ethan eugene eva evelyn fatima felix fernando fiona florence frances francis franz fred frederick gabriel gareth gary geoffrey george gerald gina giovanni gloria gordon greg gregory gustav ' +
    'hannah hans harold harriet harry heather hector heidi helen henrik henry herbert hiroshi howard hugh ian ibrahim ingrid irene isaac isabel isabella ivan jack jackie jacob jacqueline jake james jamie jan jane janet janice jason ' +
    'javier jay jean jeff jeffrey jennifer jenny jeremy jerry jesse jessica jill jim jimmy joan joanna joe joel johan john johnny jon jonathan jorge jose joseph joshua joyce juan judith judy julia julian julie justin karen karl ' +
    'kate katherine kathleen kathryn kathy katie keith kelly ken kenneth kenji kevin kim kyle lars larry laura lauren lawrence leo leonard leslie liam linda lisa lois lorraine louis louise lucas lucia lucy luis luke lydia maggie ' +
    'malcolm marco marcus margaret maria marie marilyn mario marta martha martin marvin mary mateo matt matthew maureen maurice megan melanie melissa michael michelle miguel mike mikhail mildred mohamed mohammed molly monica nancy ' +
    'naomi natalie natasha nathan neil nicholas nick nicole nigel nikolai nina noah noel nora norma norman olga oliver olivia oscar pablo pam pamela patricia patrick paul paula pauline pedro peggy peter phil philip phillip phyllis ' +
    'priya rachel rafael rajesh ralph ray raymond rebecca ricardo richard rick robert roberto rodney roger roland ron ronald ross roy russell ruth ryan sally sam samantha samuel sandra sara sarah scott sean sergei sergey shannon ' +
    'sharon shawn sheila shirley simon sofia sophia sophie stacy stanislav stephanie stephen steve steven stuart sue susan suzanne sven sylvia takeshi tamara tanya ted teresa terry theodore theresa thomas tiffany tim timothy tina ' +
    'todd tom tommy tony tracy trevor tyler valerie vanessa vera veronica vicky victor vincent violet virginia vivian vladimir walter wanda warren wayne wendy william yolanda yuki yusuf yvonne zachary zoe'
  ).split(' '),
);

const SURNAME =
  'Wang|Li|Zhang|Liu|Chen|Yang|Huang|Zhao|Wu|Zhou|Xu|Sun|Ma|Zhu|Hu|Guo|He|Lin|Gao|Luo|Zheng|Liang|Xie|Song|Tang|Feng|Deng|Cao|Peng|Zeng|Xiao|Tian|Dong|Yuan|Pan|Yu|Jiang|Cai|Du|Ye|Cheng|Su|Wei|Lu|Lv|Ding|Ren|Shen|Yao|Jin|Cui|Zhong|Tan|Fan|Shi|Liao|Jia|Xia|Fu|Fang|Bai|Zou|Meng|Xiong|Qin|Qiu|Hou|Yin|Xue|Yan|Duan|Lei|Long|Shao|Qian|Tao|Hao|Gong|Gu|Mao|Wan|Dai|Mo|Kong|Ouyang|Sima|Zhuge|Shangguan|Situ';
const SYLLABLE =
  '(?:(?:[bpmf]|[dtnl]|[gkh]|zh|ch|sh|[rzcsyw]|[jqx])?(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|an|ao|ei|en|ia|ie|in|iu|ou|ua|ue|ui|un|uo|er|a|e|i|o|u))';
const PINYIN = new RegExp(
  `^(?:(?:${SURNAME}),? ${SYLLABLE}-?${SYLLABLE}?|${SYLLABLE}-?${SYLLABLE} (?:${SURNAME}))$`,
  'i',
);

/** capitalised words and their connectors */
const WORDS = /(?<![\p{L}\p{N}@.])\p{Lu}[\p{L}'’-]*(?:,? \p{Lu}[\p{L}'’-]*){0,3}/gu;
const HAN = /\p{Script=Han}/u;
/** the part of a word that is not part of a given name */
const ALONE = /(?:['’]s|-[\s\S]*|\p{Script=Han}[\s\S]*)$/u;
const MOST = 3;
/** words after names of firms, streets or things */
const NO_PERSON =
  /^(?:Inc|Ltd|Co|Corp|Bank|Hotel|Road|Street|Ave|Avenue|Store|Shop|University|Hospital|Insurance|Airlines?|Group|Company|Airport|Mall|Plaza|Financial|District|City|Day|Pay|Card|Lake|Park|Bay|Court|Square|House)\.?$/;

/** The number of leading words that are a name; 0: none. */
function nameIn(words: readonly string[]): number {
  const first = words[0]!;
  for (const count of [2, 3]) {
    if (words.length < count) break;
    const name = words.slice(0, count).join(' ');
    if (PINYIN.test(name) && !(first === 'He' && count === 2 && words[1]!.length < 4)) return count;
  }
  if (
    !GIVEN.has(
      first
        .toLowerCase()
        .replace(/['’]s$/, '')
        .split('-')[0]!,
    )
  )
    return 0;
  let count = 1;
  while (count < Math.min(words.length, MOST) && !isNoNameWord(words[count]!)) {
    if (NO_PERSON.test(words[count]!)) return 0;
    count += 1;
  }
  return count;
}

export function findKnownNames(text: string, spans: Span[]): void {
  for (const { 0: found, index } of text.matchAll(WORDS)) {
    // most capitalised words begin a sentence
    if (!found.includes(' ') && !GIVEN.has(found.replace(ALONE, '').toLowerCase())) continue;
    let at = 0;
    // David陈: the ideographs are looked for elsewhere
    const latin = HAN.test(found) ? found.slice(0, found.search(HAN)) : found;
    const words = [...latin.matchAll(/[^ ,]+/g)];
    while (at < words.length) {
      const count = nameIn(words.slice(at).map(([word]) => word));
      if (count === 0) {
        at += 1;
        continue;
      }
      const last = words[at + count - 1]!;
      const word = last[0].replace(/['’]s$/, '');
      let end = index + last.index + word.length;
      // Kevin 吴, David陈
      const behind = /^ ?(\p{Script=Han})(?!\p{Script=Han})/u.exec(text.slice(end, end + 3));
      if (behind !== null) end += behind[0].length;
      spans.push({ entity: 'person_name', start: index + words[at]!.index, end });
      at += count;
    }
  }
}
