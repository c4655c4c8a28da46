/**
 * Invisible parts of a name in a file: blanks around it, control characters, and characters that are copied along from a web page or a
 * sheet. Such a name would match nothing, so a revocation or a refusal would have no effect. Joiners are allowed: some
 * scripts need them.
 */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}]--[ \u3000\u200c\u200d]]/v;

const ALL_UNSEEN = new RegExp(UNSEEN.source, 'gv');
const PLAIN = /^[!-~]*$/;

export const holdsUnseen = (name: string): boolean => name.trim() !== name || UNSEEN.test(name);

const LONGEST_ID = 256;

/** Why nothing can be found by this id, alias or flag; null: it is one. @param what `The id of a data subject` */
export function faultOfId(what: string, text: string): string | null {
  if (text === '' || text.length > LONGEST_ID) return `${what} has 1 to ${LONGEST_ID} characters.`;
  return holdsUnseen(text) || !text.isWellFormed()
    ? `${what} has no blanks around it and no invisible characters in it: no record would be found by it.`
    : null;
}

/** Removes invisible parts, and normalizes forms that look alike (é as one character or two). */
export const asSeen = (name: string): string =>
  PLAIN.test(name) ? name : name.normalize('NFC').replace(ALL_UNSEEN, '').trim();
