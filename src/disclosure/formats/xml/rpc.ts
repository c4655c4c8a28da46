/**
 * XML-RPC (http://xmlrpc.com/spec.md): maps structs, arrays and values of a record to objects, lists and scalars, so that an answer has the same
 * catalog paths as in JSON-RPC. The record is a `<value>`, or the complete `<methodResponse>`.
 */
import type { Scalar } from '../../../model/disclosure.ts';
import type { Decision, TreeNode } from '../shared/tree.ts';
import { malformed } from './lexer.ts';
import { type Dialect, hide, type Splice } from './render.ts';
import { type Element, encodeXml } from './tree.ts';

type Decisions = ReadonlyMap<TreeNode, Decision>;

const NUMBERS = ['int', 'i1', 'i2', 'i4', 'i8', 'biginteger', 'bigdecimal', 'double', 'float'];
const TEXTS = ['string', 'base64', 'dateTime.iso8601'];
/** RFC 8259 §6 */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const WRAPPERS = ['methodResponse', 'params', 'param', 'fault'];

/**
 * A `methodResponse` must have one result or one fault. These replace one that is not disclosed: an empty result, an empty list, and a fault for a
 * fault, which must not become a result.
 */
export const NO_RESULT = '<params><param><value><nil/></value></param></params>';
export const NO_RECORDS = '<params><param><value><array><data/></array></value></param></params>';
export const WITHHELD_FAULT =
  '<fault><value><struct><member><name>faultCode</name><value><int>502</int></value></member><member><name>faultString</name><value><string>The upstream answered with a fault. What it said is not passed on.</string></value></member></struct></value></fault>';

class Value implements TreeNode {
  readonly names: readonly string[];
  readonly index?: number;
  /** `<value>` */
  readonly element: Element;
  /** the type element; null: an untyped string */
  readonly typed: Element | null;
  readonly children: readonly Value[] | null;
  readonly array: boolean;
  /** `<member>` or `<value>` → its value */
  readonly parts = new Map<Element, Value>();

  constructor(element: Element, names: readonly string[], index?: number) {
    bare(element, element.elements.length === 0);
    const [typed = null, ...more] = element.elements;
    if (typed !== null) bare(typed, typed.local !== 'struct' && typed.local !== 'array');
    if (element.local !== 'value' || more.length > 0) throw malformed('has an invalid XML-RPC value');
    this.names = names;
    if (index !== undefined) this.index = index;
    this.element = element;
    this.typed = typed;
    this.array = typed?.local === 'array';
    if (typed?.local === 'struct') this.children = typed.elements.map((member) => this.#member(member));
    else if (typed?.local === 'array') this.children = this.#elements(typed);
    else {
      const known = typed === null || [...NUMBERS, ...TEXTS, 'boolean', 'nil'].includes(typed.local);
      if (!known || (typed !== null && typed.elements.length > 0))
        throw malformed('has a value of no XML-RPC type');
      this.children = null;
    }
  }

  #member(member: Element): Value {
    bare(member);
    const [name, value, ...more] = member.elements;
    const complete = member.local === 'member' && name?.local === 'name' && value !== undefined;
    if (complete) bare(name, true);
    if (!complete || name.elements.length > 0 || more.length > 0)
      throw malformed('has an invalid XML-RPC struct');
    const found = new Value(value, [name.text]);
    this.parts.set(member, found);
    return found;
  }

  #elements(array: Element): Value[] {
    const [data, ...more] = array.elements;
    if (data?.local !== 'data' || more.length > 0) throw malformed('has an invalid XML-RPC array');
    bare(data);
    return data.elements.map((element, index) => {
      const found = new Value(element, [], index);
      this.parts.set(element, found);
      return found;
    });
  }

  scalar(): Scalar {
    const type = this.typed?.local ?? 'string';
    const text = (this.typed ?? this.element).text;
    if (type === 'nil') return { kind: 'null', text: 'null' };
    if (type === 'boolean' && /^\s*[01]\s*$/.test(text))
      return { kind: 'boolean', text: text.trim() === '1' ? 'true' : 'false' };
    if (NUMBERS.includes(type) && NUMBER.test(text.trim())) return { kind: 'number', text: text.trim() };
    return { kind: 'string', text };
  }

  source(): string {
    return this.element.source();
  }
}

/** Refuses attributes, and text outside of scalars: XML-RPC has none, and they would belong to no field. */
function bare(element: Element, scalar = false): void {
  const text = !scalar && element.items.some((item) => item.kind === 'text' && !item.blank);
  if (text || element.attributes.length > 0)
    throw malformed('has text or attributes that XML-RPC does not allow');
}

export const XMLRPC: Dialect = {
  view(element) {
    let at = element;
    while (WRAPPERS.includes(at.local)) {
      bare(at);
      const [only, ...more] = at.elements;
      if (only === undefined || more.length > 0) throw malformed('is not an XML-RPC response with one value');
      at = only;
    }
    return new Value(at, []);
  },
  render(splice, element, view, decisions) {
    const root = view as Value;
    const decision = decisions.get(root) ?? 'drop';
    within(splice, element, (item) => {
      if (item !== root.element) return false;
      value(splice, root, decision === 'drop' ? 'null' : decision, decisions);
      return true;
    });
  },
};

/** Visits an element and its descendants and removes comments; descendants of an element that `taken` handles are skipped. */
function within(splice: Splice, element: Element, taken: (element: Element) => boolean): void {
  if (taken(element)) return;
  for (const item of element.items) {
    if (item.kind === 'hidden') splice.skip(item.start, item.end);
    else if (item.kind === 'element') within(splice, item, taken);
  }
}

function value(splice: Splice, node: Value, decision: Decision, decisions: Decisions): void {
  if (decision === 'keep') hide(splice, node.element);
  else if (decision === 'walk') {
    for (const item of node.element.items) {
      if (item.kind === 'hidden') splice.skip(item.start, item.end);
      else if (item === node.typed) parts(splice, item, node, decisions);
    }
  } else replace(splice, node, decision);
}

function replace(
  splice: Splice,
  { element, typed }: Value,
  decision: Exclude<Decision, 'keep' | 'walk'>,
): void {
  const markup = (text: string): void => splice.markup(splice.charset.encode(text));
  if (element.empty) {
    splice.skip(element.rest, element.tag.end);
    markup('>');
  } else splice.skip(element.tag.end, element.close.start);
  if (typeof decision !== 'object' || decision.kind === 'null') markup('<nil/>');
  else {
    const number = decision.kind === 'number';
    const fitting = !number ? 'string' : /^-?\d+$/.test(decision.text) ? 'int' : 'double';
    const type =
      typed !== null && (number ? NUMBERS : ['string']).includes(typed.local) ? typed.local : fitting;
    markup(`<${type}>`);
    splice.markup(encodeXml(splice.charset, decision.text));
    markup(`</${type}>`);
  }
  if (!element.empty) return;
  markup('</');
  splice.copy(element.name.start, element.name.end);
  markup('>');
}

/** Writes the members of a struct or the elements of an array; a dropped one is removed with the white space before it. */
function parts(splice: Splice, around: Element, node: Value, decisions: Decisions): void {
  let before: number | null = null;
  for (const item of around.items) {
    if (item.kind === 'text') {
      before = item.start;
      continue;
    }
    const part = item.kind === 'element' ? node.parts.get(item) : undefined;
    const decision = part === undefined ? 'drop' : (decisions.get(part) ?? 'drop');
    if (item.kind === 'element' && item.local === 'data' && node.array) parts(splice, item, node, decisions);
    else if (part === undefined || item.kind !== 'element' || decision === 'drop')
      splice.skip(before ?? item.start, item.end);
    else
      within(splice, item, (element) => {
        if (element !== part.element) return false;
        value(splice, part, decision, decisions);
        return true;
      });
    before = null;
  }
}
