/**
 * Checks the tokens of the lexer and interprets them. A token is passed to saxes, which must report exactly that token, ending at the same
 * character. saxes checks the rules of XML (names, entities, namespaces, nesting); the lexer knows the offsets. Requiring both to agree prevents
 * a spelling that the redaction and the reader would interpret differently.
 *
 * Tokens below the root that have one interpretation only are not passed to saxes, which takes half of the time of a document: tags of an ASCII
 * name without a prefix, blanks and attributes, and texts without references, `]` and carriage returns (`plain.ts`). An element with such a start
 * tag is opened in saxes before the first other token in it, so that what saxes sees is well-formed if the document is. Longer than most: one state
 * for both ways.
 */
import { isUtf8 } from 'node:buffer';
import { SaxesParser } from 'saxes';
import { SluiceError } from '../../../errors.ts';
import { type Charset, UTF8, unitOf } from '../shared/charsets.ts';
import type { DisclosureLimits } from '../format.ts';
import { malformed, type Token } from './lexer.ts';
import { isPlainName, isSameName, plainText } from './plain.ts';
import type { ParsedTag } from './tree.ts';

/** A token with its interpretation. */
export interface Parsed {
  readonly token: Token;
  /** the text of text and CDATA tokens, with entities resolved; null for others, and for a text that is equal to its spelling */
  readonly text: string | null;
  /** a text that is equal to its spelling: whether it is white space; null for others */
  readonly blank: boolean | null;
  /** for a start or empty tag */
  readonly tag: ParsedTag | null;
  /** `<?xml … ?>` */
  readonly declaration: boolean;
}

type Kind = 'text' | 'cdata' | 'comment' | 'instruction' | 'declaration' | 'open' | 'close';
interface Event {
  readonly kind: Kind;
  readonly position: number;
  readonly text: string | null;
  readonly tag: ParsedTag | null;
  /** the default namespace that a tag declares */
  readonly space?: string | undefined;
}

/** An open element. */
interface Open {
  readonly name: string;
  /** the namespace of names without a prefix */
  readonly space: string;
}

/** limit for distinct names that are kept */
const MAX_NAMES = 1024;
const NO_ATTRIBUTES: ParsedTag['attributes'] = [];

export class XmlParser {
  readonly #charset: Charset;
  readonly #utf8: boolean;
  readonly #saxes = new SaxesParser({ xmlns: true });
  readonly #deepest: number;
  readonly #open: Open[] = [];
  /** how many of them are open in saxes, the outer ones */
  #known = 0;
  /** false: saxes must see all tokens. UTF-16, and XML 1.1, which has other characters and line ends */
  #shortcut: boolean;
  /** plain tags by a hash of the name */
  readonly #tags = new Map<number, ParsedTag>();
  #events: Event[] = [];
  #next = 0;
  /** number of characters passed to saxes so far */
  #given = 0;
  /** line ends before the text that saxes has now */
  #lines = 0;
  #text = '';
  #faulty = false;
  #closed = false;

  /** @param limits `record_members` limits the attributes of one element */
  constructor(charset: Charset, limits: Pick<DisclosureLimits, 'depth' | 'record_members'>) {
    this.#charset = charset;
    this.#utf8 = charset === UTF8;
    this.#shortcut = unitOf(charset) === 1;
    this.#deepest = limits.depth;
    const saxes = this.#saxes;
    const { record_members: most } = limits;
    let attributes = 0;
    let depth = 0;
    saxes.on('attribute', () => {
      attributes += 1;
      if (attributes > most)
        throw new SluiceError(
          'record_too_large',
          `An element of the XML document has more than ${most} attributes (limits.record_members).`,
        );
    });
    const report = (kind: Kind, text: string | null = null, tag: ParsedTag | null = null): void => {
      this.#events.push({ kind, position: saxes.position, text, tag });
    };
    saxes.on('text', (text) => report('text', text));
    saxes.on('cdata', (text) => report('cdata', text));
    saxes.on('comment', () => report('comment'));
    saxes.on('processinginstruction', () => report('instruction'));
    saxes.on('xmldecl', ({ version }) => {
      if (version !== '1.0') this.#shortcut = false;
      report('declaration');
    });
    saxes.on('opentag', (tag) => {
      attributes = 0;
      depth += 1;
      // checked here, since saxes searches all open elements for the namespace of each name
      if (depth > this.#deepest && !tag.isSelfClosing) throw this.#tooDeep();
      const { name, local, uri } = tag;
      const parsed = { name, local, uri, attributes: Object.values(tag.attributes) };
      const position = saxes.position;
      this.#events.push({ kind: 'open', position, text: null, tag: parsed, space: tag.ns[''] });
    });
    saxes.on('closetag', () => {
      depth -= 1;
      report('close');
    });
    // Only the line: messages of saxes quote the document. Thrown at once, since saxes would continue with an error for each character of a
    // tag, which may have megabytes.
    saxes.on('error', () => {
      this.#faulty = true;
      throw this.#malformed();
    });
  }

  /**
   * @param tokens consecutive tokens; the last is a text only at the end of the body
   * @throws SluiceError `response_malformed`
   */
  read(tokens: readonly Token[], bytes: Buffer, final: boolean): Parsed[] {
    const parsed: Parsed[] = [];
    const first = tokens[0];
    // a part of valid UTF-8 between ASCII characters is valid
    if (this.#utf8 && first !== undefined && !isUtf8(bytes.subarray(first.start, tokens.at(-1)!.end)))
      throw this.#invalid();
    for (let n = 0; n < tokens.length; ) {
      const plain = this.#plain(tokens[n]!, bytes);
      if (plain === null) n = this.#pass(tokens, n, bytes, final, parsed);
      else {
        parsed.push(plain);
        n++;
      }
    }
    if (final) this.#close();
    return parsed;
  }

  /** Whether elements and texts may be read without it (`plain-index.ts`). */
  get allowsIndex(): boolean {
    return this.#shortcut && this.#utf8;
  }

  /** levels below the innermost open element */
  get room(): number {
    return this.#deepest - this.#open.length;
  }

  /** the namespace of names without a prefix */
  get space(): string {
    return this.#open.at(-1)?.space ?? '';
  }

  /**
   * Plain tokens in the innermost open element were read without it.
   * @param names elements that are open after them; null: they ended with its end tag
   */
  skip(bytes: Uint8Array, lines: number, names: readonly string[] | null): void {
    if (!isUtf8(bytes)) throw this.#invalid();
    this.#lines += lines;
    const { space } = this;
    if (names === null) this.#open.pop();
    else for (const name of names) this.#open.push({ name, space });
  }

  /** Interprets a token that saxes need not see; null: it must. */
  #plain(token: Token, bytes: Buffer): Parsed | null {
    const depth = this.#open.length;
    if (depth === 0 || !this.#shortcut) return null;
    const { kind, start, end } = token;
    const { name, space } = this.#open[depth - 1]!;
    if (kind === 'text') {
      const text = plainText(bytes, start, end, this.#utf8);
      if (text === null) return null;
      this.#lines += text.lines;
      return { token, text: null, blank: text.blank, tag: null, declaration: false };
    }
    if (kind === 'end') {
      if (depth === this.#known || !isSameName(bytes, start + 2, end - 1, name)) return null;
      this.#open.pop();
      return { token, text: null, blank: null, tag: null, declaration: false };
    }
    const tag = this.#tag(token, bytes, space);
    if (tag === null) return null;
    if (kind === 'start') {
      if (depth >= this.#deepest) throw this.#tooDeep();
      this.#open.push({ name: tag.name, space });
    }
    return { token, text: null, blank: null, tag, declaration: false };
  }

  /** The plain tag of a token in a default namespace; null: it is none. */
  #tag({ kind, start, end }: Token, bytes: Buffer, space: string): ParsedTag | null {
    if (kind !== 'start' && kind !== 'empty') return null;
    const from = start + 1;
    const to = kind === 'start' ? end - 1 : end - 2;
    let hash = 0;
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
    const known = this.#tags.get(hash);
    if (known !== undefined && known.uri === space && isSameName(bytes, from, to, known.name)) return known;
    if (!isPlainName(bytes, from, to)) return null;
    const name = bytes.toString('latin1', from, to);
    const tag: ParsedTag = { name, local: name, uri: space, attributes: NO_ATTRIBUTES, plain: true };
    if (this.#tags.size >= MAX_NAMES) this.#tags.clear();
    this.#tags.set(hash, tag);
    return tag;
  }

  /** Passes tokens from `n` on to saxes, up to one that may be plain. @returns the index after them */
  #pass(tokens: readonly Token[], n: number, bytes: Buffer, final: boolean, parsed: Parsed[]): number {
    this.#introduce();
    let end = n + 1;
    // saxes reports a text with the token after it
    while (
      end < tokens.length &&
      (tokens[end - 1]!.kind === 'text' || !this.#mayBePlain(tokens[end]!, bytes))
    )
      end++;
    const text = this.#charset.decode(bytes.subarray(tokens[n]!.start, tokens[end - 1]!.end));
    if (text === null) throw this.#invalid();
    this.#write(text);
    // a text at the end is reported now
    if (final && end === tokens.length) this.#close();
    for (let k = n; k < end; k++) parsed.push(this.#match(tokens[k]!, bytes));
    if (this.#next !== this.#events.length) throw this.#malformed();
    this.#events = [];
    this.#next = 0;
    this.#lines += linesOf(text);
    this.#known = this.#open.length;
    return end;
  }

  #mayBePlain(token: Token, bytes: Buffer): boolean {
    if (!this.#shortcut) return false;
    const { kind, start, end } = token;
    if (kind === 'text') return plainText(bytes, start, end, this.#utf8) !== null;
    if (kind === 'end') return isPlainName(bytes, start + 2, end - 1);
    return this.#tag(token, bytes, this.#open.at(-1)?.space ?? '') !== null;
  }

  /** Opens in saxes the elements that it does not know. */
  #introduce(): void {
    if (this.#known === this.#open.length) return;
    const tags = this.#open.slice(this.#known).map(({ name }) => `<${name}>`);
    const text = tags.join('');
    this.#write(text);
    this.#given += text.length;
    this.#events = [];
    this.#known = this.#open.length;
  }

  #write(text: string): void {
    this.#text = text;
    this.#saxes.write(text);
  }

  #close(): void {
    if (!this.#closed) this.#saxes.close();
    this.#closed = true;
  }

  #match(token: Token, bytes: Uint8Array): Parsed {
    const isFirst = this.#given === 0;
    this.#given += unitsOf(this.#charset, bytes, token);
    const declaration = token.kind === 'instruction' && this.#events[this.#next]?.kind === 'declaration';
    const parsed = { token, text: null, blank: null, tag: null, declaration };
    switch (token.kind) {
      case 'text':
        // Blanks that begin a document are permitted (XML 1.0, production 22), and saxes does not report them.
        if (isFirst && this.#events[this.#next]?.kind !== 'text') return { ...parsed, text: '' };
        // reported at the `<` after it
        return { ...parsed, text: this.#take('text', null).text };
      case 'cdata':
        return { ...parsed, text: this.#take('cdata').text };
      case 'start': {
        const { tag, space } = this.#take('open');
        this.#open.push({ name: tag!.name, space: space ?? this.#open.at(-1)?.space ?? '' });
        return { ...parsed, tag };
      }
      case 'empty': {
        const { tag } = this.#take('open');
        this.#take('close');
        return { ...parsed, tag };
      }
      case 'end':
        this.#take('close');
        this.#open.pop();
        break;
      case 'comment':
        // reported at its `--`, after which saxes accepts only `>`
        this.#take('comment', 1);
        break;
      default:
        this.#take(declaration ? 'declaration' : 'instruction');
    }
    return parsed;
  }

  /** @param before by how many characters the event precedes the end of the token; null: it follows the token */
  #take(kind: Kind, before: number | null = 0): Event {
    const event = this.#events[this.#next++];
    if (event?.kind !== kind || (before !== null && event.position !== this.#given - before))
      throw this.#malformed();
    return event;
  }

  #malformed(): SluiceError {
    const { position } = this.#saxes;
    const line = 1 + this.#lines + linesOf(this.#text.slice(0, position - this.#given));
    return malformed(
      'is not well-formed or is truncated',
      this.#faulty ? `line ${line}` : 'its tokens are ambiguous',
    );
  }

  #invalid(): SluiceError {
    return malformed(`has bytes that are not ${this.#charset.name}`);
  }

  #tooDeep(): SluiceError {
    return new SluiceError(
      'response_too_deep',
      `The XML document nests deeper than ${this.#deepest} elements.`,
    );
  }
}

const linesOf = (text: string): number => text.match(/\r\n|\r|\n/g)?.length ?? 0;

/** The number of UTF-16 code units of a token, whose bytes are valid in the charset. */
function unitsOf(charset: Charset, bytes: Uint8Array, { start, end }: Token): number {
  if (charset.layout === 'utf16le' || charset.layout === 'utf16be') return (end - start) / 2;
  if (charset.layout === 'octets') {
    if (charset.name !== 'utf-8') return end - start;
    let units = 0;
    for (let i = start; i < end; i++) {
      const b = bytes[i]!;
      if ((b & 0xc0) !== 0x80) units += b >= 0xf0 ? 2 : 1;
    }
    return units;
  }
  for (let i = start; i < end; i++)
    if (bytes[i]! >= 0x80) return charset.decode(bytes.subarray(start, end))?.length ?? -1;
  return end - start;
}
