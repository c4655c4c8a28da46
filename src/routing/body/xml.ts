/** XML request bodies as a plain tree (saxes). What XML readers are known to read differently is refused. */
import { SaxesParser } from 'saxes';
import { unreadable, utf8 } from './json.ts';

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

/** @throws SluiceError `body_unreadable` */
export function parseXml(bytes: Uint8Array, depth: number): XmlElement {
  const text = utf8(bytes);
  const open: XmlElement[] = [];
  let root: XmlElement | null = null;
  const parser = new SaxesParser({ xmlns: true, position: false });
  // Entities may expand without end or name files (XXE); with no DOCTYPE only the five predefined ones are left.
  parser.on('doctype', () => fail('has a DOCTYPE'));
  parser.on('processinginstruction', () => fail('has a processing instruction'));
  // `<methodName>a<!-- -->b</methodName>`: some readers see "a", others "ab" (CVE-2017-11427 and its relatives).
  parser.on('comment', () => fail('has a comment'));
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && !/^utf-?8$/i.test(encoding)) fail('is XML in another encoding than UTF-8');
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
  return root;
}

function fail(why: string): never {
  throw unreadable(why);
}
