/** Writes a record of XML: copies everything that no decision replaces or drops. */
import type { Charset } from '../shared/charsets.ts';
import type { ChangedDocument, Matcher, Output, RecordPiece, RecordScope, Rendering } from '../format.ts';
import { type Decision, decide, readTree, type TreeNode, type TreeRecord } from '../shared/tree.ts';
import { groupTree } from '../shared/tree-group.ts';
import { respelled, XML_SPELLING } from '../shared/respell.ts';
import { emptied, isSoap } from './soap.ts';
import {
  type Element,
  encodeXml,
  type Hidden,
  type Item,
  type Span,
  type Text,
  withinBlanks,
} from './tree.ts';

/** Copies a range of bytes and drops or replaces parts of it. Positions must be in ascending order. */
export class Splice {
  readonly out: Output;
  readonly charset: Charset;
  readonly #bytes: Uint8Array;
  readonly #base: number;
  #from: number;

  constructor(out: Output, charset: Charset, bytes: Uint8Array, base: number, from: number) {
    this.out = out;
    this.charset = charset;
    this.#bytes = bytes;
    this.#base = base;
    this.#from = from;
  }

  /** Copies up to `start` and continues at `end`. */
  skip(start: number, end: number): void {
    if (start > this.#from) this.out.bytes(this.#bytes, this.#base + this.#from, this.#base + start);
    this.#from = end;
  }

  replace(start: number, end: number, text: string, document?: ChangedDocument): void {
    const kept = document === undefined ? null : this.#respelled(start, end, document);
    this.skip(start, end);
    this.markup(kept ?? encodeXml(this.charset, text));
  }

  /** Keeps the spelling of unchanged parts; null: not possible, since the spelling has more than references. */
  #respelled(start: number, end: number, { before, segments }: ChangedDocument): Uint8Array | null {
    const { charset } = this;
    const spelled = charset.decode(this.#bytes.subarray(this.#base + start, this.#base + end));
    if (spelled === null || /[<\r]/.test(spelled)) return null;
    const encode = (text: string): string => charset.decode(encodeXml(charset, text)) ?? '';
    // the text was parsed without surrounding white space
    const [first, last] = withinBlanks(spelled);
    const kept = respelled(spelled.slice(first, last), before, segments, { ...XML_SPELLING, encode });
    return kept === null ? null : charset.encode(spelled.slice(0, first) + kept + spelled.slice(last));
  }

  markup(bytes: Uint8Array): void {
    this.out.bytes(bytes, 0, bytes.length);
  }

  /** Copies another range without changing the position. */
  copy(start: number, end: number): void {
    this.out.bytes(this.#bytes, this.#base + start, this.#base + end);
  }
}

type Decisions = ReadonlyMap<TreeNode, Decision>;
const isTreated = (d: Decision): d is Extract<Decision, { kind: 'string' | 'number' }> =>
  typeof d === 'object' && d.kind !== 'null';

const documentOf = (d: Extract<Decision, { kind: 'string' | 'number' }>): ChangedDocument | undefined =>
  d.kind === 'string' ? d.document : undefined;

function renderElement(splice: Splice, element: Element, decision: Decision, decisions: Decisions): void {
  const unchanged = decision === 'keep' && element.children !== null;
  // `xsi:nil` is kept with the content; for a withheld value it would reveal that the value is null
  const nil = decision !== 'null' && decision !== 'drop' && !isTreated(decision);
  renderAttributes(splice, element, unchanged ? null : decisions, nil);
  if (decision === 'walk') renderItems(splice, element.parts, decisions);
  else if (decision === 'keep') hide(splice, element);
  else if (isTreated(decision) && element.empty) {
    splice.skip(element.rest, element.tag.end);
    splice.markup(splice.charset.encode('>'));
    splice.markup(encodeXml(splice.charset, decision.text));
    splice.markup(splice.charset.encode('</'));
    splice.copy(element.name.start, element.name.end);
    splice.markup(splice.charset.encode('>'));
  } else if (isTreated(decision)) {
    const { text } = decision;
    splice.replace(element.tag.end, element.close.start, text, documentOf(decision));
  } else {
    // one spelling, whatever the content was
    splice.skip(element.rest, element.end);
    splice.markup(splice.charset.encode('/>'));
  }
}

/** @param decisions null: all attributes are kept */
function renderAttributes(splice: Splice, element: Element, decisions: Decisions | null, nil = false): void {
  if (decisions === null) return;
  for (const attribute of element.all) {
    if (attribute.declares || (attribute.nil && nil)) continue;
    const decision = decisions.get(attribute) ?? 'drop';
    const [start, end] = attribute.inner;
    if (decision === 'drop') splice.skip(attribute.start, attribute.end);
    else if (isTreated(decision)) splice.replace(start, end, decision.text, documentOf(decision));
    else if (decision !== 'keep') splice.skip(start, end);
  }
}

function renderItems(splice: Splice, items: readonly Item[], decisions: Decisions): void {
  let before: Text | null = null;
  for (const item of items) {
    const decided: Decision = item.kind === 'hidden' ? 'drop' : (decisions.get(item) ?? 'drop');
    const isBody = decided === 'drop' && item.kind === 'element' && isSoap(item, 'Body');
    const decision = isBody ? 'null' : decided;
    if (item.kind === 'text' && item.blank) {
      before = item;
      continue;
    }
    // a dropped item is removed with the white space before it
    if (decision === 'drop') splice.skip(before?.start ?? item.start, item.end);
    else if (item.kind === 'element') renderElement(splice, item, decision, decisions);
    else if (isTreated(decision)) splice.replace(item.start, item.end, padded(item, decision.text));
    else if (decision !== 'keep') splice.skip(item.start, item.end);
    else if (item.kind === 'text') for (const { start, end } of item.within) splice.skip(start, end);
    before = null;
  }
}

/** Restores the white space around a text, which is treated without it. */
const padded = (item: Text | Hidden, text: string): string => {
  if (item.kind !== 'text') return text;
  const [lead = ''] = /^[ \t\r\n]*/.exec(item.value) ?? [];
  let end = item.value.length;
  while (end > lead.length && ' \t\r\n'.includes(item.value[end - 1]!)) end--;
  return lead + text + item.value.slice(end);
};

/** Removes comments and processing instructions, which belong to no field. */
export function hide(splice: Splice, element: Element): void {
  for (const item of element.items) {
    if (item.kind === 'hidden') splice.skip(item.start, item.end);
    else if (item.kind === 'element') hide(splice, item);
  }
}

/** The decision for an element that must not be removed. */
const withheldOf = (element: Element): Decision => (isSoap(element, 'Envelope') ? 'walk' : 'null');
const NO_DECISIONS: Decisions = new Map();

/** How the elements of a record map to tree nodes, and how decisions are written. */
export interface Dialect {
  view(element: Element): TreeNode;
  render(splice: Splice, element: Element, view: TreeNode, decisions: Decisions): void;
}

export const PLAIN: Dialect = {
  view: (element) => element,
  render(splice, element, view, decisions) {
    const decision = decisions.get(view) ?? 'drop';
    // a record that is one dropped value is emptied, since a document needs its root
    renderElement(splice, element, decision === 'drop' ? withheldOf(element) : decision, decisions);
  },
};

export class XmlRecord implements RecordPiece {
  readonly kind = 'record';
  readonly #element: Element;
  readonly #view: TreeNode;
  readonly #dialect: Dialect;
  readonly #charset: Charset;
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #lead: Span;
  readonly #tree: TreeRecord;

  /** @param lead white space before the record, which is released with it */
  constructor(
    source: {
      readonly bytes: Uint8Array;
      readonly base: number;
      readonly charset: Charset;
      readonly lead: Span;
    },
    element: Element,
    dialect: Dialect,
    matcher: Matcher,
  ) {
    this.#bytes = source.bytes;
    this.#base = source.base;
    this.#charset = source.charset;
    this.#lead = source.lead;
    this.#element = element;
    this.#dialect = dialect;
    this.#view = dialect.view(element);
    this.#tree = readTree(matcher, this.#view);
  }

  get size(): number {
    return this.#element.end - this.#lead.start;
  }

  get scopes(): readonly RecordScope[] {
    return this.#tree.scopes;
  }

  render(out: Output, rendering: Rendering | null): void {
    const element = this.#element;
    if (rendering === null && emptied(element) === null) return;
    const splice = new Splice(out, this.#charset, this.#bytes, this.#base, this.#lead.start);
    if (rendering === null) {
      renderElement(splice, element, withheldOf(element), NO_DECISIONS);
      splice.skip(element.end, element.end);
      return;
    }
    const decisions = decide(this.#view, this.#tree, rendering);
    this.#dialect.render(splice, this.#element, this.#view, decisions);
    splice.skip(this.#element.end, this.#element.end);
  }

  group(rendering: Rendering): string {
    return groupTree(this.#view, this.#tree, rendering);
  }
}
