/**
 * A request may select fields (`fields=name,city`) and omit the field that says whose a record is; the record is then withheld. A route can
 * name fields that every selection requests. Fields that the caller did not select are removed from the response.
 */
import type { RouteConfig } from './section.ts';
import type { Parameters } from './query.ts';

export interface Selection {
  readonly parameters: Parameters;
  /** fields that the caller did not ask for */
  readonly added: readonly string[];
}

const NONE: readonly string[] = [];

export function withAlways(config: RouteConfig['always_fetch'], parameters: Parameters): Selection {
  if (config === undefined) return { parameters, added: NONE };
  const { param, separator, fields } = config;
  // The parameter itself, or a list form: `fields[]`, `fields[0]`.
  const isListed = (name: string): boolean =>
    name.startsWith(`${param}[`) && /^\[\d*\]$/.test(name.slice(param.length));
  const places = parameters.flatMap(([name], i) => (name === param || isListed(name) ? [i] : []));
  const last = places.at(-1);
  // Without a selection the upstream returns all fields.
  if (last === undefined) return { parameters, added: NONE };
  const selected = new Set(
    places.flatMap((i) => parameters[i]![1].split(separator).map((name) => name.trim())),
  );
  const missing = Object.entries(fields).filter(([name]) => !selected.has(name));
  if (missing.length === 0 || selected.has('*')) return { parameters, added: NONE };
  const names = missing.map(([name]) => name);
  const [name, value] = parameters[last]!;
  const out: [string, string][] = parameters.map(([n, v]) => [n, v]);
  if (name === param)
    out[last] = [name, value === '' ? names.join(separator) : [value, ...names].join(separator)];
  else
    for (const [k, added] of names.entries())
      out.push([name === `${param}[]` ? name : `${param}[${places.length + k}]`, added]);
  return { parameters: out, added: missing.map(([, pointer]) => pointer) };
}
