/** Finds names in scripts other than Latin and Chinese (kana, Hangul, Cyrillic …), which are recognised only by a label or brackets. */
const WORD = '(?:(?!\\p{Script=Latin}|\\p{Script=Han})[\\p{L}\\p{M}ー]){1,16}';
const NAME = new RegExp(`${WORD}(?:[ \\u3000·・.-]${WORD}){0,3}`, 'uy');
/** code units below are Latin letters or signs */
const FIRST = 0x370;

/** The length of such a name at `at`; 0: none. */
export function otherNameAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (!(unit >= FIRST) || (unit >= 0x4e00 && unit <= 0x9fff)) return 0;
  NAME.lastIndex = at;
  return NAME.exec(text)?.[0].length ?? 0;
}
