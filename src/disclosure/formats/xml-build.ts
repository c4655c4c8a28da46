/** Builds the tree of one subtree as its tokens arrive. Positions count from the reader's origin. */
import type { Charset } from '../charsets.ts';
import { Element, type OpenTag, type Text } from './xml-tree.ts';

export class Builder {
  readonly root: Element;
  readonly #open: Element[];
  readonly #charset: Charset;
  #bytes = new Uint8Array(0);
  #base = 0;

  constructor(tag: OpenTag, charset: Charset) {
    this.#charset = charset;
    this.root = new Element(tag, this.#source);
    this.#open = [this.root];
  }

  start(tag: OpenTag): void {
    const element = new Element(tag, this.#source);
    this.#open.at(-1)!.items.push(element);
    if (!tag.empty) this.#open.push(element);
  }

  text(text: Text): void {
    this.#open.at(-1)!.items.push(text);
  }

  hidden(start: number, end: number): void {
    this.#open.at(-1)!.items.push({ kind: 'hidden', start, end });
  }

  /** @returns true when the subtree is complete */
  end(start: number, end: number): boolean {
    this.#open.pop()!.close = { start, end };
    return this.#open.length === 0;
  }

  /** @param source bytes that stay as they are from now on */
  finish(source: { readonly bytes: Uint8Array; readonly base: number }): Element {
    this.#bytes = source.bytes as Uint8Array<ArrayBuffer>;
    this.#base = source.base;
    return this.root;
  }

  /** An element as the upstream spelled it, without comments and processing instructions. */
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
