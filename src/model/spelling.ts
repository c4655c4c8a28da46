/**
 * What a name in a file may hold that nobody sees in it: a blank around it, control characters, and what comes along when somebody copies from a
 * page or a sheet. Nothing would be found by such a name, so that a revocation or a refusal would be passed over. Joiners stay: some
 * scripts need them.
 */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}]--[ \u3000\u200c\u200d]]/v;

const ALL_UNSEEN = new RegExp(UNSEEN.source, 'gv');
const PLAIN = /^[!-~]*$/;

export const holdsUnseen = (name: string): boolean => name.trim() !== name || UNSEEN.test(name);

/** Without what nobody sees in it, and in one of the spellings that look alike (é as one character or two). */
export const asSeen = (name: string): string =>
  PLAIN.test(name) ? name : name.normalize('NFC').replace(ALL_UNSEEN, '').trim();
