/** XML-RPC calls (xmlrpc.com/spec) as `{ methodName, params: [...] }`. */
import { isUtf8 } from 'node:buffer';
import { unreadable } from './text.ts';
import { parseXml, type XmlElement, type XmlText } from './xml.ts';

/** @throws SluiceError `body_unreadable` */
export function parseXmlRpc(xml: XmlText, depth: number): unknown {
  const call = expect(parseXml(xml, depth), 'methodCall');
  const [method, params, ...more] = call.children;
  if (!method || more.length > 0) throw malformed();
  return {
    methodName: text(expect(method, 'methodName')),
    params: params
      ? expect(params, 'params').children.map((p) => value(only(expect(p, 'param'), 'value')))
      : [],
  };
}

function value(element: XmlElement): unknown {
  if (element.children.length === 0) return element.text;
  const typed = element.children[0]!;
  if (element.children.length > 1) throw malformed();
  switch (expect(typed, typed.name).name) {
    case 'base64':
      return decoded(text(typed));
    case 'string':
    case 'dateTime.iso8601':
      return text(typed);
    case 'int':
    case 'i4':
    case 'i8':
    case 'double':
      return number(text(typed));
    case 'boolean':
      if (!/^[01]$/.test(text(typed))) throw malformed();
      return text(typed) === '1';
    case 'nil':
      return null;
    case 'array':
      return only(typed, 'data').children.map((v) => value(expect(v, 'value')));
    case 'struct':
      return struct(typed);
    default:
      throw malformed();
  }
}

function struct(element: XmlElement): unknown {
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const member of element.children) {
    const [name, held, ...more] = expect(member, 'member').children;
    if (!name || !held || more.length > 0) throw malformed();
    const key = text(expect(name, 'name'));
    if (key in out) throw unreadable('has the same name twice in one struct');
    out[key] = value(expect(held, 'value'));
  }
  return out;
}

/** Base64 that decodes to text becomes that text, as the upstream sees it; other data, such as a picture, stays Base64. */
function decoded(base64: string): string {
  const bare = base64.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(bare)) throw malformed();
  const bytes = Buffer.from(bare, 'base64');
  return isUtf8(bytes) ? bytes.toString('utf8') : bare;
}

function number(digits: string): unknown {
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(digits)) throw malformed();
  const n = Number(digits);
  // A number that JavaScript would change stays text: it can be forwarded and compared.
  return Number.isInteger(n) && !Number.isSafeInteger(n) ? digits : n;
}

function expect(element: XmlElement, name: string): XmlElement {
  if (element.name !== name || element.namespace !== '' || element.attributes.length > 0) throw malformed();
  return element;
}

function only(element: XmlElement, name: string): XmlElement {
  const [child, ...more] = element.children;
  if (!child || more.length > 0) throw malformed();
  return expect(child, name);
}

function text(element: XmlElement): string {
  if (element.children.length > 0) throw malformed();
  return element.text;
}

const malformed = () => unreadable('is not an XML-RPC call');
