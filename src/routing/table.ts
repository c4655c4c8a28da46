/** Finds the routes of a path without looking at every route. */
import type { MatchableRoute } from './compile.ts';
import { compareTemplates, matchTemplate, shape } from './template.ts';

/** Routes of one template, those with more conditions first. */
interface Group {
  readonly routes: MatchableRoute[];
}

export interface Table {
  /** routes of the most specific template that takes this path; a less specific one is never fallen back to */
  find(method: string, segments: readonly string[]): readonly MatchableRoute[];
}

export function createTable(routes: readonly MatchableRoute[]): Table {
  const groups = new Map<string, Group>();
  for (const route of routes) {
    const key = shape(route.template);
    const group = groups.get(key);
    if (group) group.routes.push(route);
    else groups.set(key, { routes: [route] });
  }
  // By method and first segment; what starts with a parameter is under no segment and always looked at too.
  const index = new Map<string, Group[]>();
  for (const group of groups.values()) {
    group.routes.sort((a, b) => b.conditions.length - a.conditions.length);
    const { method, segments } = group.routes[0]!.template;
    const first = segments[0];
    const key = first?.is === 'text' ? `${method} ${first.text}` : method;
    const list = index.get(key);
    if (list) list.push(group);
    else index.set(key, [group]);
  }
  for (const list of index.values())
    list.sort((a, b) => compareTemplates(a.routes[0]!.template, b.routes[0]!.template));

  const firstOf = (key: string, segments: readonly string[]): Group | undefined =>
    index.get(key)?.find((g) => matchTemplate(g.routes[0]!.template, segments) !== null);

  return {
    find: (method, segments) =>
      // A first segment of text is more specific than any parameter, so that the order of the two is right.
      (firstOf(`${method} ${segments[0] ?? ''}`, segments) ?? firstOf(method, segments))?.routes ?? [],
  };
}
