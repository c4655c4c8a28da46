/**
 * A SOAP message keeps its Envelope and Body even if everything else is withheld, since an Envelope needs a Body (SOAP 1.1 §4, SOAP 1.2 part 1
 * §5.1). Neither contains a value by itself.
 */
const NAMESPACES: ReadonlySet<string> = new Set([
  'http://schemas.xmlsoap.org/soap/envelope/',
  'http://www.w3.org/2003/05/soap-envelope',
]);

interface Named {
  readonly local: string;
  readonly uri: string;
}

export const isSoapSpace = (uri: string): boolean => NAMESPACES.has(uri);

export const isSoap = ({ local, uri }: Named, name: 'Envelope' | 'Body'): boolean =>
  local === name && NAMESPACES.has(uri);

/** The element without content; null for an element that may be removed. */
export function emptied(element: Named): string | null {
  const { uri } = element;
  if (isSoap(element, 'Body')) return `<soap:Body xmlns:soap="${uri}"/>`;
  if (!isSoap(element, 'Envelope')) return null;
  return `<soap:Envelope xmlns:soap="${uri}"><soap:Body/></soap:Envelope>`;
}
