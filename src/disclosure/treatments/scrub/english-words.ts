/** Words in Latin letters that are or are not part of a name. */

const PARTICLE =
  '(?:(?:van|von|der|den|de|da|di|du|del|della|la|le|el|al|bin|ibn|ben|ter|ten|dos|das|y)[ \\t])';
/** directly following ideographs are another word: Ms. Wang预订了 */
const LETTER = "[[\\p{L}\\p{M}'’\\-]--\\p{Script=Han}]";
export const WORD = `${PARTICLE}{0,2}\\p{Lu}${LETTER}*\\.?`;
const ANY_WORD = `[\\p{L}--\\p{Script=Han}]${LETTER}*\\.?`;

export const CAPITALISED = new RegExp(`^${WORD}(?:[ \\t]${WORD}){0,3}`, 'v');
const ANY_WORDS = new RegExp(`^${ANY_WORD}(?:[ \\t]${ANY_WORD}){0,2}`, 'v');

/** words before a name */
export const LABELS =
  "my name is|emergency contact|next of kin to|next of kin|injured party|identified as|name on card|contact name|shipped to|ship to|deliver to|reported by|requested by|submitted by|provided by|opened by|acct holder|policy holders|policy owner|full name|first name|last name|fullname|realname|firstname|lastname|middlename|givenname|familyname|surname|nickname|custname|xingming|khxm|hzxm|lxrxm|xm|lxr|name's|cust name|cust|im|sender|guest|tenant|landlord|employee|witness|buyer|seller|contact person|card holder|cardholder|account holder|policy holder|policyholder|spoke with|spoke to|speaking with|speaking to|called by|signed by|this is|i am|i'm|name|customer|client|caller|contact|recipient|receiver|attn|beneficiary|insured|driver|patient|owner|applicant|claimant|consignee|passenger|spouse|wife|husband|mother|father|son|daughter";
const NO_NAME =
  /^(?:The|A|An|Service|Services|Support|Care|Team|Number|No|Id|ID|Phone|Email|Address|Order|Account|Card|Desk|Center|Centre|Details|Info|Information|Us|Called|Says|Said|Wants|Reports|Not|Very|Will|Would|Has|Is|Was|Please|Calling|Regarding|About|Happy|Sorry|Policy|Name|Date|Time|Ticket|Case|Reference|Ref|Customer|Request|Requested|Complaint|Refund|Due|N|Unknown|None|Yes|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|January|February|March|April|May|June|July|August|September|October|November|December|I|We|He|She|They|It|In|On|At|To|For|From|With|Last|First|Middle|Given|Family|Full|Tel|Mobile|Mob|Fax|Cell|Addr|Email|Gender|Sex|Age|Plate|Visa|Mastercard|Invoice|App|Apple|Android|Windows|Wifi|Excel|Word|Reason|Note|Notes|Category|Subject|Contact|Acct|Routing)(?![\p{L}'’-])/u;
export const TITLE_BEFORE = /^(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof)\b\.?[ \t]*/;

/** words in capitals that are not part of a name */
export const isNoNameWord = (word: string): boolean =>
  NO_NAME.test(word) || OTHER_WORD.test(word) || NOT_BESIDE.test(word) || ONE_LABEL.test(word);
const ONE_LABEL = new RegExp(`^(?:${LABELS})$`, 'i');
/** capitalised words before a number, such as headings and months */
const NOT_BESIDE =
  /^(?:IBAN|SSN|DOB|MRN|SWIFT|BIC|New|Old|Alt|Home|Work|Office|Main|Direct|Back|Call|Callback|Reach|Send|Text|Voicemail|Left|Via|And|Or|Her|His|Their|Our|My|Your|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun|St|Street|Ave|Avenue|Road|Rd|City|Bank|Hotel|Airport|Station|Visa|Credit|Debit|Master|American|Express|Acct|National|Identity|Insurance|Company|Ltd|Inc|Corp|Co|Group|Room|Floor|Tower|Block|Unit|Building|Road|Hong|Kong|Shanghai|Beijing|Shenzhen|Update|Updated|Verified|Confirmed|Reset|Cc|CC|Bcc|To|From|Re|RE|FW|Fwd)\.?$/u;

/** The words before the first that is not part of a name. */
export function trimmed(words: string): number {
  let end = 0;
  for (const found of words.matchAll(/[^ \t]+/g)) {
    const initial = found[0].length === 2 && found[0][1] === '.';
    if (!initial && (end === 0 || found[0].length > 2) && NO_NAME.test(found[0])) break;
    end = found.index + found[0].length;
    if (found[0].endsWith('.') && found[0].length > 3) {
      end -= 1;
      break;
    }
  }
  return words[end - 1] === '.' && end > 2 ? end - 1 : end;
}

/** words that end a name without capitals, or exclude one */
const NO_WORD =
  /^(?:and|or|but|so|the|a|an|my|his|her|their|our|your|phone|tel|mobile|cell|email|mail|number|no|not|on|in|at|is|was|are|of|for|from|to|with|has|had|want|wants|called|calling|spelled|spelt|misspelled|wrong|missing|incorrect|unknown|listed|required|changed|different|same|address|dob|id|please|pls|ref|re|order|account|acct|card)$/i;

/** Of up to three words without capitals, those before the first that is not part of a name. */
export function uncapitalised(ahead: string): number {
  const words = ANY_WORDS.exec(ahead)?.[0] ?? '';
  let end = 0;
  for (const found of words.matchAll(/[^ \t]+/g)) {
    if (NO_WORD.test(found[0])) break;
    end = found.index + found[0].length;
  }
  return end;
}

/**
 * The length of the name in Latin letters at `at`, after a Chinese label; 0: none. `firm`: only names follow the label; `linked`: with a colon or
 * similar in between. Without either, a single word may be a product.
 */
export function latinNameAt(text: string, at: number, firm: boolean, linked: boolean): number {
  const capitals = CAPITALISED.exec(text.slice(at, at + 120))?.[0] ?? '';
  // Ms. Wang: the title suffices
  if (TITLE_BEFORE.test(capitals)) return 0;
  const name = capitals.slice(0, trimmed(capitals));
  if (name.length <= 1 || OTHER_WORD.test(name)) return 0;
  const several = /[ \t]/.test(name);
  const usual = /^\p{Lu}\p{Ll}{2}/u.test(name);
  return (firm && linked) || (firm && (several || usual)) || (several && /\p{Ll}/u.test(name)) || usual
    ? name.length
    : 0;
}
/** capitalised words after a Chinese label that are no names */
const OTHER_WORD =
  /^(?:Vip|VIP|APP|ID|IP|PC|QQ|WeChat|Wechat|Whatsapp|WhatsApp|Line|Facebook|Instagram|Google|Chrome|Safari|Iphone|IPhone|Ipad|Mac|Huawei|Xiaomi|Oppo|Vivo|Bug|Crm|Pad|Pro|Max|Plus|Wi-Fi|Pos|Call|Code|Bonus|Usb)(?![\p{L}])/u;
