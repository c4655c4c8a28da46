/**
 * One record of an XML document: its elements as offsets into the document's bytes, seen by `tree.ts` as named members. A child
 * element is a member by its name, an attribute by `@name`, its text `#text` where a path says so; repeated elements need no step of their
 * own in a path. Comments and processing instructions belong to nobody and never leave.
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

export class Text implements TreeNode, Span {
  readonly kind = 'text';
  readonly names = ['#text'];
  readonly isContent = true;
  readonly children = null;
  readonly start: number;
  readonly end: number;
  /** decoded, entities resolved */
  readonly value: string;
  readonly blank: boolean;
  /** comments and processing instructions that it goes around */
  readonly within: readonly Hidden[];
  constructor(start: number, end: number, value: string, within: readonly Hidden[] = []) {
    this.within = within;
    this.start = start;
    this.end = end;
    this.value = value;
    this.blank = isBlank(value);
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
  /** a namespace declaration: structure, which names depend on */
  readonly declares: boolean;
  /** `xsi:nil="true"`: says that its element's content is null, and so belongs to that content */
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
  /** of the name as it is spelled in the tag */
  readonly name: Span;
  /** where the tag's `>` or `/>` begins, white space included */
  readonly rest: number;
  /** `<name/>` */
  readonly empty: boolean;
  /** the name that its text goes by where a path tells it from the element */
  readonly content = '#text';
  readonly all: readonly Attribute[];
  readonly items: Item[] = [];
  /** its end tag; nothing where the element is empty */
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

  /** Its items, text between two elements in one piece: a comment or CDATA in the middle of a number does not make two values of it. */
  get parts(): readonly Item[] {
    this.#parts ??= joined(this.items);
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
      const text = new Text(run[first]!.start, run[last]!.end, value, hidden);
      run = [...run.slice(0, first), text, ...run.slice(last + 1)];
    }
    // One by one: as arguments of one call, those of a long run would not fit on the stack.
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
const isBlank = (text: string): boolean => /^[ \t\r\n]*$/.test(text);

/** XML has no types: text without the white space around it; none at all is no value. */
function scalarOf(text: string): Scalar {
  const trimmed = text.slice(...withinBlanks(text));
  return trimmed === '' ? { kind: 'null', text: 'null' } : { kind: 'string', text: trimmed };
}

/** Where a text begins and ends without the white space around it. */
export function withinBlanks(text: string): readonly [start: number, end: number] {
  // by hand: a pattern that ends in `+$` would try anew from each of a million blanks
  let start = 0;
  let end = text.length;
  while (start < end && BLANKS.includes(text[start]!)) start += 1;
  while (end > start && BLANKS.includes(text[end - 1]!)) end -= 1;
  return [start, end];
}

/** How names of a document become names of paths. */
export type Naming = (local: string, uri: string) => string;

/** A start tag as saxes read it, attributes in the order of the tag. */
export interface ParsedTag {
  readonly name: string;
  readonly local: string;
  readonly uri: string;
  readonly attributes: readonly ParsedAttribute[];
}
export interface ParsedAttribute {
  readonly name: string;
  readonly prefix: string;
  readonly local: string;
  readonly uri: string;
  readonly value: string;
}

/** A start tag with its places; all positions count from one origin. */
export interface OpenTag {
  readonly names: readonly string[];
  readonly local: string;
  readonly uri: string;
  readonly span: Span;
  readonly name: Span;
  readonly rest: number;
  readonly empty: boolean;
  readonly attributes: readonly Attribute[];
}

/** @param at where the tag begins */
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

/** Escapes for content and attribute values alike; what XML 1.0 cannot hold at all is left out. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"'\r\n\t]/g, (c) => `&#${c.charCodeAt(0)};`);
}

export const encodeXml = (charset: Charset, text: string): Buffer =>
  charset.encode(escapeXml(text), (character) => `&#${character.codePointAt(0)};`);
