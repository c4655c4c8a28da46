/**
 * A SOAP message keeps its Envelope and Body whatever is withheld of it: to its readers an Envelope without a Body is no message (SOAP 1.1
 * §4, SOAP 1.2 part 1 §5.1). Neither holds a value by itself.
 */
const NAMESPACES: ReadonlySet<string> = new Set([
  'http://schemas.xmlsoap.org/soap/envelope/',
  'http://www.w3.org/2003/05/soap-envelope',
]);

interface Named {
  readonly local: string;
  readonly uri: string;
}

export const isSoap = ({ local, uri }: Named, name: 'Envelope' | 'Body'): boolean =>
  local === name && NAMESPACES.has(uri);

/** The element without content, in our own spelling; null for an element that may be left out. */
export function emptied(element: Named): string | null {
  const { uri } = element;
  if (isSoap(element, 'Body')) return `<soap:Body xmlns:soap="${uri}"/>`;
  if (!isSoap(element, 'Envelope')) return null;
  return `<soap:Envelope xmlns:soap="${uri}"><soap:Body/></soap:Envelope>`;
}
