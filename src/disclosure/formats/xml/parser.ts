/**
 * Runs saxes on the tokens of the lexer. saxes must report the same tokens in the same order, each ending at the same character. saxes checks the
 * rules of XML (names, entities, namespaces, nesting); the lexer knows the offsets. Requiring both to agree prevents a spelling that the
 * redaction and the reader would interpret differently.
 */
import { SaxesParser } from 'saxes';
import { SluiceError } from '../../../errors.ts';
import type { Charset } from '../shared/charsets.ts';
import type { DisclosureLimits } from '../format.ts';
import { malformed, type Token } from './lexer.ts';
import type { ParsedTag } from './tree.ts';

/** A token with the result of saxes. */
export interface Parsed {
  readonly token: Token;
  /** the text of text and CDATA tokens, with entities resolved */
  readonly text: string | null;
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
}

export class XmlParser {
  readonly #charset: Charset;
  readonly #saxes = new SaxesParser({ xmlns: true });
  #events: Event[] = [];
  #next = 0;
  /** number of characters passed so far */
  #given = 0;
  #fault: string | null = null;

  /** @param limits `record_members` limits the attributes of one element */
  constructor(charset: Charset, limits: Pick<DisclosureLimits, 'depth' | 'record_members'>) {
    this.#charset = charset;
    const saxes = this.#saxes;
    const { depth: deepest, record_members: most } = limits;
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
    saxes.on('xmldecl', () => report('declaration'));
    saxes.on('opentag', (tag) => {
      attributes = 0;
      depth += 1;
      // checked here, since saxes searches all open elements for the namespace of each name
      if (depth > deepest && !tag.isSelfClosing)
        throw new SluiceError('response_too_deep', `The XML document nests deeper than ${deepest} elements.`);
      const { name, local, uri } = tag;
      report('open', null, { name, local, uri, attributes: Object.values(tag.attributes) });
    });
    saxes.on('closetag', () => {
      depth -= 1;
      report('close');
    });
    // Only the position: messages of saxes quote the document. Thrown at once, since saxes would continue with an error for each character of a
    // tag, which may have megabytes.
    saxes.on('error', () => {
      this.#fault = `line ${saxes.line}, column ${saxes.column}`;
      throw this.#malformed();
    });
  }

  /**
   * @param tokens consecutive tokens; the last is a text only at the end of the body
   * @throws SluiceError `response_malformed`
   */
  read(tokens: readonly Token[], bytes: Uint8Array, final: boolean): Parsed[] {
    const first = tokens[0];
    const last = tokens.at(-1);
    if (first !== undefined && last !== undefined) {
      const text = this.#charset.decode(bytes.subarray(first.start, last.end));
      if (text === null) throw malformed(`has bytes that are not ${this.#charset.name}`);
      this.#saxes.write(text);
    }
    if (final) this.#saxes.close();
    this.#next = 0;
    const parsed = tokens.map((token) => this.#match(token, bytes));
    if (this.#next !== this.#events.length) throw this.#malformed();
    this.#events = [];
    return parsed;
  }

  #match(token: Token, bytes: Uint8Array): Parsed {
    this.#given += unitsOf(this.#charset, bytes, token);
    const declaration = token.kind === 'instruction' && this.#events[this.#next]?.kind === 'declaration';
    switch (token.kind) {
      case 'text':
        // reported at the `<` after it
        return { token, text: this.#take('text', null).text, tag: null, declaration };
      case 'cdata':
        return { token, text: this.#take('cdata').text, tag: null, declaration };
      case 'start':
        return { token, text: null, tag: this.#take('open').tag, declaration };
      case 'empty': {
        const { tag } = this.#take('open');
        this.#take('close');
        return { token, text: null, tag, declaration };
      }
      case 'end':
        this.#take('close');
        break;
      case 'comment':
        // reported at its `--`, after which saxes accepts only `>`
        this.#take('comment', 1);
        break;
      default:
        this.#take(declaration ? 'declaration' : 'instruction');
    }
    return { token, text: null, tag: null, declaration };
  }

  /** @param before by how many characters the event precedes the end of the token; null: it follows the token */
  #take(kind: Kind, before: number | null = 0): Event {
    const event = this.#events[this.#next++];
    if (event?.kind !== kind || (before !== null && event.position !== this.#given - before))
      throw this.#malformed();
    return event;
  }

  #malformed(): SluiceError {
    return malformed('is not well-formed or is truncated', this.#fault ?? 'its tokens are ambiguous');
  }
}

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
