/**
 * saxes, asked token by token: each token of the lexer is written to it, and it must answer with that token and nothing else. It
 * checks what XML demands (names, entities, namespaces, nesting); the lexer knows where in the bytes things stand. Neither is
 * believed alone, so no spelling can be one thing to the redaction and another to the reader.
 */
import { SaxesParser } from 'saxes';
import type { SluiceError } from '../../errors.ts';
import type { Charset } from '../charsets.ts';
import { malformed, type Token } from './xml-lexer.ts';
import type { ParsedTag } from './xml-tree.ts';

/** What saxes reported about a token: at most one of each. */
export interface Parsed {
  /** of the text token before this one, entities resolved */
  text: string | undefined;
  tag: ParsedTag | undefined;
  cdata: string | undefined;
  closed: boolean;
  hidden: 'comment' | 'instruction' | 'declaration' | undefined;
}

const nothing = (): Parsed => ({
  text: undefined,
  tag: undefined,
  cdata: undefined,
  closed: false,
  hidden: undefined,
});

export class XmlParser {
  readonly #charset: Charset;
  readonly #saxes = new SaxesParser({ xmlns: true });
  #parsed = nothing();
  #fault = false;

  constructor(charset: Charset) {
    this.#charset = charset;
    const saxes = this.#saxes;
    const once = <K extends keyof Parsed>(key: K, value: Parsed[K]): void => {
      const before = this.#parsed[key];
      if (before !== undefined && before !== false) this.#fault = true;
      this.#parsed[key] = value;
    };
    saxes.on('text', (text) => once('text', text));
    saxes.on('cdata', (text) => once('cdata', text));
    saxes.on('comment', () => once('hidden', 'comment'));
    saxes.on('processinginstruction', () => once('hidden', 'instruction'));
    saxes.on('xmldecl', () => once('hidden', 'declaration'));
    saxes.on('opentag', (tag) =>
      once('tag', {
        name: tag.name,
        local: tag.local,
        uri: tag.uri,
        attributes: Object.values(tag.attributes),
      }),
    );
    saxes.on('closetag', () => once('closed', true));
    saxes.on('doctype', () => {
      this.#fault = true;
    });
    saxes.on('error', () => {
      this.#fault = true;
    });
  }

  /** @throws SluiceError `response_malformed` */
  token(token: Token, bytes: Uint8Array): Parsed {
    const text = this.#charset.decode(bytes);
    if (text === null) throw this.#malformed(`has bytes that are not ${this.#charset.name}`);
    this.#parsed = nothing();
    this.#saxes.write(text);
    const parsed = this.#parsed;
    if (this.#fault || !agree(token, parsed)) throw this.#malformed('is not well-formed');
    return parsed;
  }

  /** @returns the text that the document ends with. @throws SluiceError `response_malformed` */
  end(): string | undefined {
    this.#parsed = nothing();
    this.#saxes.close();
    if (this.#fault) throw malformed('is not well-formed, or is cut short');
    return this.#parsed.text;
  }

  #malformed(what: string): SluiceError {
    return malformed(`${what} (line ${this.#saxes.line}, column ${this.#saxes.column + 1})`);
  }
}

function agree({ kind }: Token, { text, tag, cdata, closed, hidden }: Parsed): boolean {
  const starts = kind === 'start' || kind === 'empty';
  return (
    (text === undefined || kind !== 'text') &&
    (tag !== undefined) === starts &&
    closed === (kind === 'end' || kind === 'empty') &&
    (cdata !== undefined) === (kind === 'cdata') &&
    (hidden !== undefined) === (kind === 'comment' || kind === 'instruction') &&
    (hidden === 'comment') === (kind === 'comment')
  );
}
