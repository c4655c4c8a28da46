/**
 * Search clauses of Odoo and Tryton: lists of `[name, operator, value]`, joined by `AND`/`OR` or `&`, `|`, `!`, and sort
 * orders `[name, "ASC"]`. The request searches by the fields that they name, and a search by a hidden field would reveal its
 * values.
 */
import { SluiceError } from '../errors.ts';

export type NameTable = Readonly<Record<string, readonly string[]>>;

const LOGICAL = new Set(['AND', 'OR', '&', '|', '!']);
const OPERATOR = /^[A-Za-z=<>!~_ ]{1,24}$/;
/** The value of these operators is again a domain, over the fields of the relation. */
const NESTING = new Set(['where', 'not where', 'any', 'not any', 'any!', 'not any!']);

/** @throws SluiceError `query_parameter_unknown` for a name that is not in the table, or an invalid domain */
export function domainFields(domain: unknown, table: NameTable, into: Set<string>, prefix = ''): void {
  if (domain === null || domain === undefined) return;
  if (!Array.isArray(domain)) throw refuse('is not a list');
  const [first, second] = domain as unknown[];
  if (typeof first === 'string' && !LOGICAL.has(first)) {
    if (typeof second !== 'string' || !OPERATOR.test(second) || domain.length > 4)
      throw refuse('has something that is not a clause');
    if (NESTING.has(second.toLowerCase())) {
      domainFields(domain[2], table, into, `${prefix}${first}.`);
      return;
    }
    const name = prefix + first;
    const fields = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!fields) throw refuse('searches by a name that the route does not list');
    for (const field of fields) into.add(field);
    return;
  }
  for (const item of domain as unknown[]) {
    if (typeof item === 'string' && LOGICAL.has(item)) continue;
    if (!Array.isArray(item)) throw refuse('has something that is not a clause');
    domainFields(item, table, into, prefix);
  }
}

const refuse = (what: string): SluiceError =>
  new SluiceError('query_parameter_unknown', `A search in the request's body ${what} (request.domains).`);
