/** Finds the fields that a parsed body searches by and writes, and the members that touch no field. */
import { SluiceError } from '../errors.ts';
import type { BodyPlan, MatchableRoute } from './compile.ts';
import { domainFields } from './domain.ts';
import { isHarmless, languageName } from './language-names.ts';
import { isPagingName, nameOf } from './paging.ts';
import { all, at, covered, covers, holdsObject, leaves, scalars } from './pointer.ts';
import { readFormParameter, readMember } from './searches.ts';

/** @throws SluiceError `query_parameter_unknown` */
export function examine(
  plan: BodyPlan,
  body: unknown,
  value: unknown,
  used: Set<string>,
  written: Set<string>,
): void {
  if (!covered(body, plan.allowed))
    throw new SluiceError(
      'query_parameter_unknown',
      'The body has a member that the route does not name (request.fields, request.params, request.domains, request.grammar).',
    );
  if (plan.loose.length > 0) refuseUnnamedSearches(plan, body);
  for (const { steps, pointers } of plan.fields)
    for (const value of all(body, steps)) {
      // `{"name": {"$where": …}}`: members of an object may search by other fields.
      if (steps.at(-1) !== '**' && holdsObject(value))
        throw new SluiceError(
          'query_parameter_unknown',
          'The body has an object where the route names a value to search by (request.fields). Name its members, or end the pointer with /**.',
        );
      for (const p of pointers) used.add(p);
    }
  for (const { steps, table } of plan.domains) domainFields(at(body, steps), table, used);
  for (const { steps, search } of plan.searches)
    for (const value of all(body, steps)) readMember(search, value, used);
  if (plan.dialect !== null && typeof body === 'object' && body !== null) {
    const named = plan.allowed.filter((pattern) => pattern[0]?.startsWith('*') !== true);
    for (const [name, value] of Object.entries(body))
      if (!named.some((pattern) => covers(pattern, [name])))
        readFormParameter(plan.dialect, name, value, used);
  }
  if (plan.record) for (const record of all(value, plan.record)) leaves(record, written, plan.elements);
}

/** A route that accepts members of any name (`/params/**`) does not say how a search among them is read. */
function refuseUnnamedSearches({ allowed, loose }: BodyPlan, body: unknown): void {
  const named = allowed.filter((pattern) => !loose.some((other) => other.join('/') === pattern.join('/')));
  for (const [path, value] of scalars(body)) {
    if (named.some((pattern) => covers(pattern, path))) continue;
    for (const name of path) {
      const kind = languageName(name);
      if (kind !== null && !isHarmless(kind, value))
        throw new SluiceError(
          'query_parameter_unknown',
          'The body has a member with the name of a query-language parameter, in a place where the route accepts any member (request.params). Remove it from the request, or declare it on the route (request.grammar, or uninspected).',
        );
    }
  }
}

/** The body without the members that, by the route, touch no field. */
export function withoutExempt(body: unknown, exempt: ReadonlySet<string>): unknown {
  if (exempt.size === 0 || typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => !exempt.has(name)));
}

/** Pointers to the parts of a body that touch no field. */
export function untouched({ route, body: plan }: MatchableRoute, body: unknown): readonly string[] {
  const { params, fields } = route.config.request;
  const dialect = plan?.dialect ?? null;
  if (params.length === 0 && dialect === null) return [];
  const pointers = new Set<string>();
  leaves(body, pointers, false);
  // Of a query language only the paging parameters; the others search.
  return [...pointers].filter(
    (pointer) => !Object.hasOwn(fields, pointer) && (dialect === null || isPagingName(nameOf(pointer))),
  );
}
