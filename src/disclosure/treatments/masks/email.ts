/** E-mail addresses (RFC 5321, RFC 6531): the first character of the local part, and the domain unless that is to be hidden. */
import { oneOf, onlyKnown } from '../parameters.ts';
import { graphemes, type Mask, type MaskParameters, maskOf } from './mask.ts';
import type { Shape } from './returned.ts';

const STARS = '***';
const DOMAIN =
  /^(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]{0,62})\.){1,8}(?:\p{L}[\p{L}\p{M}]{1,62}|xn--[a-z0-9-]{1,59})$/u;
const LOCAL = /^[^\s\p{C}@"<>(),:;[\]\\]{1,64}$/u;
/** characters that do not combine with their neighbours */
const INITIAL = /^[\p{L}\p{N}]\p{M}{0,3}$/u;

/** number of x that count as three stars; fewer may be initials */
const SHAPE: Shape = {
  pattern: /(?:^|[,;、 ])(?:[\p{L}\p{N}]\p{M}{0,3})?\*@/u,
  sees: 'words',
  within: /(?<![\p{L}\p{N}._%+*-])(?:[\p{L}\p{N}]\p{M}{0,3})?\*{3,}@/u,
  fewestX: 3,
};

/** fast path for one address of usual characters, with the same result as the general rule */
const PLAIN_ADDRESS =
  /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,63}$/;
const LONGEST_HOST = 253;

export function email(parameters: MaskParameters): Mask {
  onlyKnown(parameters, ['domain']);
  const domain = oneOf(parameters, 'domain', 'keep', ['keep', 'hide']);
  const one = (text: string): string | null => {
    const cut = text.lastIndexOf('@');
    const local = text.slice(0, Math.max(cut, 0));
    const host = text.slice(cut + 1);
    if (!LOCAL.test(local)) return null;
    if (!(domain === 'hide' && host === STARS) && (host.length > LONGEST_HOST || !DOMAIN.test(host)))
      return null;
    const parts = graphemes(local);
    const initial = parts.length > 1 && INITIAL.test(parts[0]!) ? parts[0]! : '';
    return `${initial}${STARS}@${domain === 'hide' ? STARS : host}`;
  };
  return maskOf(
    'email',
    domain === 'keep' ? 'the first character of the local part and the domain' : 'the first character',
    SHAPE,
    (text) => {
      if (text.length <= LONGEST_HOST && PLAIN_ADDRESS.test(text)) {
        const cut = text.indexOf('@');
        return `${cut > 1 ? text[0]! : ''}${STARS}@${domain === 'hide' ? STARS : text.slice(cut + 1)}`;
      }
      // several addresses in one field, as in legacy systems
      const parts: string[] = [];
      let addresses = 0;
      for (const part of text.split(/([\s,;，；、]+)/)) {
        if (part === '' || /^[\s,;，；、]+$/.test(part)) {
          parts.push(part);
          continue;
        }
        const masked = one(part);
        if (masked === null) return null;
        addresses += 1;
        parts.push(masked);
      }
      return addresses === 0 ? null : parts.join('');
    },
  );
}
