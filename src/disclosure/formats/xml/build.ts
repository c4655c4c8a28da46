/** Builds the tree of one subtree from its tokens. Positions are relative to the reader's origin. */
import { SluiceError } from '../../../errors.ts';
import type { Charset } from '../shared/charsets.ts';
import { Element, type OpenTag, type Text } from './tree.ts';

export class Builder {
  readonly root: Element;
  readonly #open: Element[];
  readonly #charset: Charset;
  readonly #most: number;
  #members = 0;
  #bytes = new Uint8Array(0);
  #base = 0;

  /** @param most limit for elements, attributes and other items */
  constructor(tag: OpenTag, charset: Charset, most: number) {
    this.#charset = charset;
    this.#most = most;
    this.#count(1 + tag.attributes.length);
    this.root = new Element(tag, this.#source);
    this.#open = [this.root];
  }

  /** @throws SluiceError `record_too_large` */
  start(tag: OpenTag): void {
    this.#count(1 + tag.attributes.length);
    const element = new Element(tag, this.#source);
    this.#open.at(-1)!.items.push(element);
    if (!tag.empty) this.#open.push(element);
  }

  text(text: Text): void {
    const { items } = this.#open.at(-1)!;
    // the only text of an element is counted with it; white space between children is not counted
    if (items.length > 0 && (!text.blank || items.at(-1)!.kind === 'text')) this.#count(1);
    items.push(text);
  }

  hidden(start: number, end: number): void {
    this.#count(1);
    this.#open.at(-1)!.items.push({ kind: 'hidden', start, end });
  }

  #count(members: number): void {
    this.#members += members;
    if (this.#members > this.#most)
      throw new SluiceError(
        'record_too_large',
        `A record of the XML document has more than ${this.#most} elements and attributes (limits.record_members).`,
      );
  }

  /** @returns true when the subtree is complete */
  end(start: number, end: number): boolean {
    this.#open.pop()!.close = { start, end };
    return this.#open.length === 0;
  }

  /** @param source bytes that are not modified afterwards */
  finish(source: { readonly bytes: Uint8Array; readonly base: number }): Element {
    this.#bytes = source.bytes as Uint8Array<ArrayBuffer>;
    this.#base = source.base;
    return this.root;
  }

  /** The source of an element without comments and processing instructions. */
  readonly #source = (element: Element): string => {
    let out = '';
    let at = element.start;
    const until = (end: number): void => {
      out += this.#charset.decode(this.#bytes.subarray(this.#base + at, this.#base + end)) ?? '';
    };
    const skip = ({ items }: Element): void => {
      for (const item of items) {
        if (item.kind === 'element') skip(item);
        else if (item.kind === 'hidden') {
          until(item.start);
          at = item.end;
        }
      }
    };
    skip(element);
    until(element.end);
    return out;
  };
}
