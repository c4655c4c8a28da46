/** XML request bodies as a plain tree (saxes). Constructs that XML readers are known to read differently are rejected. */
import { SaxesParser } from 'saxes';
import { unreadable } from './text.ts';

export interface XmlElement {
  /** namespace URI, '' for none */
  readonly namespace: string;
  /** local name */
  readonly name: string;
  /** without namespace declarations */
  readonly attributes: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly value: string;
  }[];
  readonly children: XmlElement[];
  text: string;
}

/** XML text and its charset. */
export interface XmlText {
  readonly text: string;
  /** true if the name of an encoding declared in the text is the charset in which it was decoded */
  readonly isCharset: (label: string) => boolean;
  /** true if the text need not declare its charset: it is UTF-8, or the Content-Type names it */
  readonly charsetKnown: boolean;
}

/** @throws SluiceError `body_unreadable` */
export function parseXml({ text, isCharset, charsetKnown }: XmlText, depth: number): XmlElement {
  let declared = charsetKnown;
  const open: XmlElement[] = [];
  let root: XmlElement | null = null;
  const parser = new SaxesParser({ xmlns: true, position: false });
  // Entities may expand without limit or read files (XXE). Without a DOCTYPE only the five predefined ones exist.
  parser.on('doctype', () => fail('has a DOCTYPE'));
  parser.on('processinginstruction', () => fail('has a processing instruction'));
  // `<methodName>a<!-- -->b</methodName>`: some readers see "a", others "ab" (CVE-2017-11427 and its relatives).
  parser.on('comment', () => fail('has a comment'));
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding === undefined) return;
    if (!isCharset(encoding)) fail('is XML that says it is in another charset than its route');
    declared = true;
  });
  parser.on('error', () => fail('is not well-formed XML'));
  parser.on('opentag', (tag) => {
    const element: XmlElement = {
      namespace: tag.uri,
      name: tag.local,
      attributes: Object.values(tag.attributes)
        .filter((a) => a.prefix !== 'xmlns' && a.name !== 'xmlns')
        .map((a) => ({ namespace: a.uri, name: a.local, value: a.value })),
      children: [],
      text: '',
    };
    const parent = open[open.length - 1];
    if (parent) parent.children.push(element);
    else root = element;
    open.push(element);
    if (open.length > depth) fail(`is nested more than ${depth} levels deep (limits.depth)`);
  });
  const addText = (piece: string): void => {
    const element = open[open.length - 1];
    if (element) element.text += piece;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = open.pop();
    if (element && element.children.length > 0 && element.text.trim() !== '') fail('mixes text and elements');
  });
  parser.write(text).close();
  if (root === null) throw unreadable('is not well-formed XML');
  // Other readers take XML without a declaration for UTF-8.
  if (!declared) fail('is XML that does not name its charset');
  return root;
}

function fail(why: string): never {
  throw unreadable(why);
}

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

/** Returns the name of an element in paths; null: the route does not declare its namespace. */
type Naming = (element: XmlElement) => string | null;

/** If the route declares no namespaces, all elements must have the namespace of the root, or none, since paths cannot distinguish namespaces. */
function namingOf(namespaces: Readonly<Record<string, string>> | null, root: XmlElement): Naming {
  if (namespaces === null) return ({ namespace, name }) => (namespace === root.namespace ? name : null);
  const prefixes = new Map(Object.entries(namespaces).map(([prefix, uri]) => [uri, prefix]));
  if (!Object.hasOwn(namespaces, '')) prefixes.set('', '');
  return ({ namespace, name }) => {
    const prefix = prefixes.get(namespace);
    if (prefix === undefined) return null;
    return prefix === '' ? name : `${prefix}:${name}`;
  };
}

/**
 * Plain XML as `{ root: … }`: elements by name, repeated ones as a list, attributes as `@name`, text beside attributes as `#text`.
 * @param namespaces prefix in paths → URI
 * @throws SluiceError `body_unreadable`
 */
export function parsePlainXml(
  text: XmlText,
  depth: number,
  namespaces: Readonly<Record<string, string>> | null,
): unknown {
  const root = parseXml(text, depth);
  const naming = namingOf(namespaces, root);
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  out[nameOf(root, naming)] = plainTree(root, naming);
  return out;
}

function nameOf(element: XmlElement, naming: Naming): string {
  return naming(element) ?? fail('has an element of a namespace that its route does not name');
}

function plainTree(element: XmlElement, naming: Naming): unknown {
  let isNil = false;
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const { name, namespace: of, value } of element.attributes) {
    if (of === XSI && name === 'nil' && /^(?:true|false|1|0)$/.test(value))
      isNil = value === 'true' || value === '1';
    // xsi:type, a schema location, or an attribute of another vocabulary
    else if (of !== '') fail('has an attribute of a namespace');
    else out[`@${name}`] = value;
  }
  const { children, text } = element;
  if (isNil && (children.length > 0 || text !== '')) fail('has an element that is nil and has content');
  const content = isNil ? null : text;
  if (children.length === 0) return Object.keys(out).length === 0 ? content : { ...out, '#text': content };
  for (const child of children) addChild(out, nameOf(child, naming), plainTree(child, naming));
  return out;
}

/** Adds a child under its name; several children of one name become a list. */
export function addChild(out: Record<string, unknown>, name: string, value: unknown): void {
  const held = out[name];
  if (held === undefined) out[name] = value;
  else if (Array.isArray(held)) held.push(value);
  else out[name] = [held, value];
}
