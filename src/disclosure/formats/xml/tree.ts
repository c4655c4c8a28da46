/**
 * The tree of one record of an XML document, with offsets into the bytes (`shared/tree.ts`). A child element is a member by its name, an
 * attribute by `@name`, text by `#text` if a path has it; repeated elements are no step of a path. Comments and processing instructions are
 * never released. Longer than most: a tree and what it is made of, in one place.
 */
import type { Scalar } from '../../../model/disclosure.ts';
import type { Charset } from '../shared/charsets.ts';
import type { TreeNode } from '../shared/tree.ts';
import type { TagSpans } from './lexer.ts';

export interface Span {
  readonly start: number;
  readonly end: number;
}

export type Item = Element | Text | Hidden;

/** a comment or a processing instruction */
export interface Hidden extends Span {
  readonly kind: 'hidden';
}

/** A range of bytes of a text that is equal to its spelling. */
interface Spelled extends Span {
  readonly bytes: Buffer;
}
const NOTHING: readonly Hidden[] = [];

export class Text implements TreeNode, Span {
  readonly kind = 'text';
  readonly names = ['#text'];
  readonly isContent = true;
  readonly children = null;
  readonly start: number;
  readonly end: number;
  /** it is white space */
  readonly blank: boolean;
  /** comments and processing instructions within it */
  readonly within: readonly Hidden[];
  #value: string | Spelled;
  /** @param value decoded, entities resolved; or ASCII or UTF-8 bytes, to be decoded when the value is needed: most are not */
  constructor(
    start: number,
    end: number,
    value: string | Spelled,
    blank: boolean,
    within: readonly Hidden[] = NOTHING,
  ) {
    this.within = within;
    this.start = start;
    this.end = end;
    this.#value = value;
    this.blank = blank;
  }

  get value(): string {
    if (typeof this.#value !== 'string') {
      const { bytes, start, end } = this.#value;
      this.#value = bytes.toString('utf8', start, end);
    }
    return this.#value;
  }

  scalar(): Scalar {
    return scalarOf(this.value);
  }
  source(): string {
    return this.value;
  }
}

class Attribute implements TreeNode, Span {
  readonly names: readonly string[];
  readonly children = null;
  readonly start: number;
  readonly end: number;
  /** between the quotes */
  readonly inner: readonly [number, number];
  /** a namespace declaration, which is structure */
  readonly declares: boolean;
  /** `xsi:nil="true"`, which belongs to the content of the element */
  readonly nil: boolean;
  readonly #value: string;
  constructor(
    names: readonly string[],
    span: Span,
    inner: readonly [number, number],
    value: string,
    kind: 'plain' | 'declares' | 'nil',
  ) {
    this.names = names;
    this.start = span.start;
    this.end = span.end;
    this.inner = inner;
    this.declares = kind === 'declares';
    this.nil = kind === 'nil';
    this.#value = value;
  }

  scalar(): Scalar {
    return scalarOf(this.#value);
  }
  source(): string {
    return this.#value;
  }
}

export class Element implements TreeNode {
  readonly kind = 'element';
  readonly names: readonly string[];
  readonly local: string;
  readonly uri: string;
  readonly tag: Span;
  /** the name in the tag */
  readonly name: Span;
  /** start of the `>` or `/>` of the tag, white space included */
  readonly rest: number;
  /** `<name/>` */
  readonly empty: boolean;
  /** the name by which a path can address its text */
  readonly content = '#text';
  readonly all: readonly Attribute[];
  readonly items: Item[] = [];
  /** its end tag; empty for `<name/>` */
  close: Span;
  readonly #source: (element: Element) => string;
  #children: readonly TreeNode[] | null | undefined = undefined;
  #parts: readonly Item[] | undefined = undefined;

  constructor(tag: OpenTag, source: (element: Element) => string) {
    this.names = tag.names;
    this.local = tag.local;
    this.uri = tag.uri;
    this.tag = tag.span;
    this.name = tag.name;
    this.rest = tag.rest;
    this.empty = tag.empty;
    this.all = tag.attributes;
    this.close = { start: tag.span.end, end: tag.span.end };
    this.#source = source;
  }

  get start(): number {
    return this.tag.start;
  }
  get end(): number {
    return this.close.end;
  }

  get attributes(): readonly Attribute[] {
    if (this.all.length === 0) return this.all;
    return this.all.filter((attribute) => !attribute.declares && !attribute.nil);
  }

  get elements(): Element[] {
    return this.items.filter((item) => item.kind === 'element');
  }

  get children(): readonly TreeNode[] | null {
    if (this.#children === undefined) {
      const mixed = this.items.some((item) => item.kind === 'element');
      const isMember = (i: Item): boolean => i.kind === 'element' || (i.kind === 'text' && !i.blank);
      this.#children = mixed ? (this.parts.filter(isMember) as TreeNode[]) : null;
    }
    return this.#children;
  }

  /** Its items, with the text between two elements joined, since a comment or CDATA within a number does not split it. */
  get parts(): readonly Item[] {
    this.#parts ??= this.items.length > 1 ? joined(this.items) : this.items;
    return this.#parts;
  }

  get text(): string {
    let text = '';
    for (const item of this.items) if (item.kind === 'text') text += item.value;
    return text;
  }

  scalar(): Scalar {
    return scalarOf(this.text);
  }
  source(): string {
    return this.#source(this);
  }
}

function joined(items: readonly Item[]): readonly Item[] {
  const out: Item[] = [];
  let run: (Text | Hidden)[] = [];
  const flush = (): void => {
    const first = run.findIndex((item) => item.kind === 'text');
    const last = run.findLastIndex((item) => item.kind === 'text');
    if (first < last && run.some((item) => item.kind === 'text' && !item.blank)) {
      const between = run.slice(first, last + 1);
      const value = between.map((item) => (item.kind === 'text' ? item.value : '')).join('');
      const hidden = between.filter((item) => item.kind === 'hidden');
      const text = new Text(run[first]!.start, run[last]!.end, value, false, hidden);
      run = [...run.slice(0, first), text, ...run.slice(last + 1)];
    }
    // not as arguments of one call: those of a long run would exceed the stack
    for (const item of run) out.push(item);
    run = [];
  };
  for (const item of items)
    if (item.kind === 'element') {
      flush();
      out.push(item);
    } else run.push(item);
  flush();
  return out;
}

const BLANKS = ' \t\r\n';
export const isBlank = (text: string): boolean => /^[ \t\r\n]*$/.test(text);

/** The scalar of a text: without surrounding white space; null if it is empty. */
function scalarOf(text: string): Scalar {
  const trimmed = text.slice(...withinBlanks(text));
  return trimmed === '' ? { kind: 'null', text: 'null' } : { kind: 'string', text: trimmed };
}

/** The range of a text without surrounding white space. */
export function withinBlanks(text: string): readonly [start: number, end: number] {
  // no regular expression: `+$` would backtrack from each blank
  let start = 0;
  let end = text.length;
  while (start < end && BLANKS.includes(text[start]!)) start += 1;
  while (end > start && BLANKS.includes(text[end - 1]!)) end -= 1;
  return [start, end];
}

/** Maps names of the document to names of paths. */
export type Naming = (local: string, uri: string) => string;

/** A start tag as parsed by saxes, with attributes in order. */
export interface ParsedTag {
  readonly name: string;
  readonly local: string;
  readonly uri: string;
  readonly attributes: readonly ParsedAttribute[];
  /** the tag has an ASCII name and nothing else; equal ones are the same object */
  readonly plain?: true;
}
export interface ParsedAttribute {
  readonly name: string;
  readonly prefix: string;
  readonly local: string;
  readonly uri: string;
  readonly value: string;
}

/** A start tag with its positions, relative to the reader's origin. */
export interface OpenTag {
  readonly names: readonly string[];
  readonly local: string;
  readonly uri: string;
  readonly span: Span;
  readonly name: Span;
  readonly rest: number;
  readonly empty: boolean;
  readonly attributes: readonly Attribute[];
  readonly plain?: true;
}

/** A tag without attributes and blanks. @param names of the element, decoded and as paths have it */
export const plainTag = (tag: ParsedTag, span: Span, empty: boolean, names: readonly string[]): OpenTag => ({
  names,
  local: tag.local,
  uri: tag.uri,
  span,
  name: { start: span.start + 1, end: span.start + 1 + tag.name.length },
  rest: span.end - (empty ? 2 : 1),
  empty,
  attributes: NO_ATTRIBUTES,
  plain: true,
});

const NO_ATTRIBUTES: OpenTag['attributes'] = [];

/** @param at start of the tag */
export function openTag(
  tag: ParsedTag,
  spans: TagSpans,
  at: number,
  end: number,
  empty: boolean,
  naming: Naming,
): OpenTag {
  const moved = ([start, stop]: readonly [number, number]): Span => ({ start: at + start, end: at + stop });
  return {
    names: [naming(tag.local, tag.uri)],
    local: tag.local,
    uri: tag.uri,
    span: { start: at, end },
    name: moved(spans.name),
    rest: at + spans.rest,
    empty,
    attributes: tag.attributes.map((attribute, k) => {
      const span = spans.attributes[k]!;
      // an attribute without a prefix belongs to its element, not to the default namespace
      const named = attribute.prefix === '' ? attribute.local : naming(attribute.local, attribute.uri);
      return new Attribute(
        [`@${named}`],
        moved([span.start, span.end]),
        [at + span.value[0], at + span.value[1]],
        attribute.value,
        kindOf(attribute),
      );
    }),
  };
}

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

function kindOf({ prefix, name, local, uri, value }: ParsedAttribute): 'plain' | 'declares' | 'nil' {
  if (prefix === 'xmlns' || name === 'xmlns') return 'declares';
  return uri === XSI && local === 'nil' && /^\s*(?:true|false|1|0)\s*$/.test(value) ? 'nil' : 'plain';
}

/** Escapes content and attribute values; characters that XML 1.0 does not allow are removed. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"'\r\n\t]/g, (c) => `&#${c.charCodeAt(0)};`);
}

export const encodeXml = (charset: Charset, text: string): Buffer =>
  charset.encode(escapeXml(text), (character) => `&#${character.codePointAt(0)};`);
