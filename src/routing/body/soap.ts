/**
 * SOAP 1.1 and 1.2 calls as `{ operation, namespace, arguments, header }`: elements by local name, repeated ones as a
 * list, attributes as `@name`. The SOAPAction must not contradict the body (SOAP 1.1 §6.1.1, SOAP 1.2 part 2 §6.5.3):
 * servers differ in which of the two selects the operation.
 */
import { unreadable } from './text.ts';
import { addChild, parseXml, type XmlElement, type XmlText } from './xml.ts';

const ENVELOPES = new Set([
  'http://schemas.xmlsoap.org/soap/envelope/',
  'http://www.w3.org/2003/05/soap-envelope',
]);
const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

/** WS-Addressing 1.0 and two earlier drafts that servers still use for dispatch */
const ADDRESSING = new Set([
  'http://www.w3.org/2005/08/addressing',
  'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  'http://schemas.xmlsoap.org/ws/2003/03/addressing',
]);

/**
 * @param actions the SOAPActions outside the envelope
 * @param vouched actions that the route names: they may differ from the name of the operation
 * @throws SluiceError `body_unreadable`
 */
export function parseSoap(
  text: XmlText,
  depth: number,
  actions: readonly string[],
  vouched: readonly string[] = [],
): unknown {
  const envelope = parseXml(text, depth);
  const soap = envelope.namespace;
  if (envelope.name !== 'Envelope' || !ENVELOPES.has(soap)) throw unreadable('is not a SOAP envelope');
  const parts = [...envelope.children];
  const header = parts[0]?.name === 'Header' && parts[0].namespace === soap ? parts.shift() : undefined;
  const [body, ...more] = parts;
  if (!body || more.length > 0 || body.name !== 'Body' || body.namespace !== soap)
    throw unreadable('is not a SOAP envelope with one Body');
  const [operation, ...others] = body.children;
  if (others.length > 0) throw unreadable('does not call exactly one operation');
  const addressed = (header?.children ?? [])
    .filter((h) => h.name === 'Action' && ADDRESSING.has(h.namespace))
    .map((h) => h.text.trim());
  const headers = header && header.children.length > 0 ? { header: tree(header, soap) } : {};
  if (!operation) return { ...bodiless([...actions, ...addressed], vouched), ...headers };
  for (const action of [...actions, ...addressed])
    if (action !== '' && !vouched.includes(action) && !names(action, operation.name))
      throw unreadable('calls another operation than its SOAPAction says');
  return {
    operation: operation.name,
    namespace: operation.namespace,
    ...argumentsOf(operation, soap),
    ...headers,
  };
}

/** Absent for an operation without parameters, so that a route need not name them. */
function argumentsOf(operation: XmlElement, soap: string): { readonly arguments?: unknown } {
  const value = tree(operation, soap);
  return typeof value === 'string' && value.trim() === '' ? {} : { arguments: value };
}

/**
 * A message without parts has an empty Body (document/literal, WS-I Basic Profile 1.1 R2202). Then only the action names the
 * operation, so it must be one that the route has a condition on.
 */
function bodiless(
  actions: readonly string[],
  vouched: readonly string[],
): { operation: string; namespace: string } {
  const called = [...new Set(actions.filter((action) => action !== ''))];
  const [action] = called;
  if (action === undefined || called.length > 1 || !vouched.includes(action))
    throw unreadable(
      'calls no operation in its Body, and none by an action that its route names (when.headers.SOAPAction)',
    );
  return { operation: lastOf(action), namespace: '' };
}

/**
 * `http://example.com/Service/GetCustomer`, `urn:crm#GetCustomer`, `GetCustomer`. A message may have a name derived from the operation: the element
 * `GetCustomerRequest` of a document/literal service, the default action of WS-Addressing 1.0 (Metadata §4.4.4).
 */
const names = (action: string, operation: string): boolean =>
  /^[^\s",]+$/.test(action) && bare(lastOf(action)) === bare(operation);

const lastOf = (action: string): string => action.split(/[/#:]/).pop() ?? '';

const bare = (name: string): string => name.replace(/(?<=.)Request$/, '');

/** `"urn:x"` → `urn:x`. SOAP 1.1 has the action in a header, SOAP 1.2 in the content type; if there are several, all count. */
export const soapActions = (header: string | null, contentType: string | null): readonly string[] =>
  [...(header === null ? [] : [header]), ...actionsIn(contentType ?? '')].map((a) =>
    a.trim().replace(/^"(.*)"$/, '$1'),
  );

const actionsIn = (contentType: string): readonly string[] =>
  // `action*=` (RFC 8187) and `action*0=` (RFC 2231) cannot match the name of an operation: they are rejected.
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
  for (const child of element.children) addChild(out, child.name, tree(child, soap));
  return out;
}
