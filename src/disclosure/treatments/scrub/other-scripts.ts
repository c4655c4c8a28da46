/** Names in scripts that are neither Latin nor Chinese: kana, Hangul, Cyrillic … Nothing tells them from other words but a label or brackets. */
const WORD = '(?:(?!\\p{Script=Latin}|\\p{Script=Han})[\\p{L}\\p{M}ー]){1,16}';
const NAME = new RegExp(`${WORD}(?:[ \\u3000·・.-]${WORD}){0,3}`, 'uy');
/** what is below is Latin or a sign */
const FIRST = 0x370;

/** How many units such a name at `at` takes; 0: none stands there. */
export function otherNameAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (!(unit >= FIRST) || (unit >= 0x4e00 && unit <= 0x9fff)) return 0;
  NAME.lastIndex = at;
  return NAME.exec(text)?.[0].length ?? 0;
}
