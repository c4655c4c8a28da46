/** XML request bodies as a plain tree (saxes). What XML readers are known to read differently is refused. */
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

/** How a text of XML came. */
export interface XmlText {
  readonly text: string;
  /** whether a name that the text gives its encoding is that of the charset it was read in */
  readonly isCharset: (label: string) => boolean;
  /** the charset need not be named in the text: it is UTF-8, or the Content-Type names it */
  readonly told: boolean;
}

/** @throws SluiceError `body_unreadable` */
export function parseXml({ text, isCharset, told }: XmlText, depth: number): XmlElement {
  let declared = told;
  const open: XmlElement[] = [];
  let root: XmlElement | null = null;
  const parser = new SaxesParser({ xmlns: true, position: false });
  // Entities may expand without end or name files (XXE); with no DOCTYPE only the five predefined ones are left.
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
  // XML that says nothing is UTF-8 to whoever reads it next.
  if (!declared) fail('is XML that does not name its charset');
  return root;
}

function fail(why: string): never {
  throw unreadable(why);
}

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

/**
 * Plain XML as `{ root: … }`: elements by local name, repeated ones as a list, attributes as `@name`, the text beside attributes as `#text`.
 * All elements are of one namespace, or of none, since paths do not tell two apart.
 * @throws SluiceError `body_unreadable`
 */
export function parsePlainXml(text: XmlText, depth: number): unknown {
  const root = parseXml(text, depth);
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  out[root.name] = plainTree(root, root.namespace);
  return out;
}

function plainTree(element: XmlElement, namespace: string): unknown {
  if (element.namespace !== namespace) fail('has elements of several namespaces');
  let isNil = false;
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const { name, namespace: of, value } of element.attributes) {
    if (of === XSI && name === 'nil' && /^(?:true|false|1|0)$/.test(value))
      isNil = value === 'true' || value === '1';
    // a type of the sender's choosing, a schema to be fetched, an attribute of somebody else's
    else if (of !== '') fail('has an attribute of a namespace');
    else out[`@${name}`] = value;
  }
  const { children, text } = element;
  if (isNil && (children.length > 0 || text !== '')) fail('has an element that is nil and has content');
  const content = isNil ? null : text;
  if (children.length === 0) return Object.keys(out).length === 0 ? content : { ...out, '#text': content };
  for (const child of children) addChild(out, child.name, plainTree(child, namespace));
  return out;
}

/** Puts a child under its name: a list where there are several of that name. */
export function addChild(out: Record<string, unknown>, name: string, value: unknown): void {
  const held = out[name];
  if (held === undefined) out[name] = value;
  else if (Array.isArray(held)) held.push(value);
  else out[name] = [held, value];
}
