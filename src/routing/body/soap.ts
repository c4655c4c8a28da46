/**
 * SOAP 1.1 and 1.2 calls as `{ operation, namespace, arguments, header }`: elements by local name, repeated ones as a
 * list, attributes as `@name`. What the SOAPAction says must not contradict the body (SOAP 1.1 §6.1.1, SOAP 1.2 part 2 §6.5.3):
 * servers differ in which of the two they obey.
 */
import { unreadable } from './json.ts';
import { parseXml, type XmlElement } from './xml.ts';

const ENVELOPES = new Set([
  'http://schemas.xmlsoap.org/soap/envelope/',
  'http://www.w3.org/2003/05/soap-envelope',
]);
const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

/** WS-Addressing 1.0 and the two drafts before it that servers still dispatch by */
const ADDRESSING = new Set([
  'http://www.w3.org/2005/08/addressing',
  'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  'http://schemas.xmlsoap.org/ws/2003/03/addressing',
]);

/**
 * @param actions what the call says that it does, outside of its envelope
 * @param vouched actions that the route itself names: they may be called otherwise than the operation
 * @throws SluiceError `body_unreadable`
 */
export function parseSoap(
  bytes: Uint8Array,
  depth: number,
  actions: readonly string[],
  vouched: readonly string[] = [],
): unknown {
  const envelope = parseXml(bytes, depth);
  const soap = envelope.namespace;
  if (envelope.name !== 'Envelope' || !ENVELOPES.has(soap)) throw unreadable('is not a SOAP envelope');
  const parts = [...envelope.children];
  const header = parts[0]?.name === 'Header' && parts[0].namespace === soap ? parts.shift() : undefined;
  const [body, ...more] = parts;
  if (!body || more.length > 0 || body.name !== 'Body' || body.namespace !== soap)
    throw unreadable('is not a SOAP envelope with one Body');
  const [operation, ...others] = body.children;
  if (!operation || others.length > 0) throw unreadable('does not call exactly one operation');
  const addressed = (header?.children ?? [])
    .filter((h) => h.name === 'Action' && ADDRESSING.has(h.namespace))
    .map((h) => h.text.trim());
  for (const action of [...actions, ...addressed])
    if (action !== '' && !vouched.includes(action) && !names(action, operation.name))
      throw unreadable('calls another operation than its SOAPAction says');
  return {
    operation: operation.name,
    namespace: operation.namespace,
    arguments: tree(operation, soap),
    ...(header && header.children.length > 0 ? { header: tree(header, soap) } : {}),
  };
}

/**
 * `http://example.com/Service/GetCustomer`, `urn:crm#GetCustomer`, `GetCustomer`. An operation's message may be called after it: the element
 * `GetCustomerRequest` of a document/literal service, the default action of WS-Addressing 1.0 (Metadata §4.4.4).
 */
const names = (action: string, operation: string): boolean =>
  /^[^\s",]+$/.test(action) && bare(action.split(/[/#:]/).pop() ?? '') === bare(operation);

const bare = (name: string): string => name.replace(/(?<=.)Request$/, '');

/** `"urn:x"` → `urn:x`. SOAP 1.1 has it in a header, SOAP 1.2 in the content type; where there are several, all of them count. */
export const soapActions = (header: string | null, contentType: string | null): readonly string[] =>
  [...(header === null ? [] : [header]), ...actionsIn(contentType ?? '')].map((a) =>
    a.trim().replace(/^"(.*)"$/, '$1'),
  );

const actionsIn = (contentType: string): readonly string[] =>
  // `action*=` (RFC 8187) and `action*0=` (RFC 2231) are spelled in ways that are no operation's name: refused.
  [...contentType.matchAll(/;\s*action(?:\*[\d*]*)?\s*=\s*("[^"]*"|[^;\s]+)/gi)].map((m) => m[1] ?? '');

function tree(element: XmlElement, soap: string): unknown {
  const attributes = element.attributes.filter((a) => a.namespace !== XSI && a.namespace !== soap);
  if (element.children.length === 0 && attributes.length === 0) return element.text;
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const a of attributes) {
    if (`@${a.name}` in out) throw unreadable('has two attributes of one local name');
    out[`@${a.name}`] = a.value;
  }
  if (element.children.length === 0) out['#text'] = element.text;
  for (const child of element.children) {
    const value = tree(child, soap);
    const held = out[child.name];
    if (held === undefined) out[child.name] = value;
    else if (Array.isArray(held)) held.push(value);
    else out[child.name] = [held, value];
  }
  return out;
}
