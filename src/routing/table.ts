/**
 * Finds the routes of a path in a tree of segments, from left to right: text first, then parameters, then the rest. The first
 * template found is the most specific. If its conditions do not hold, a less specific one is not tried.
 */
import type { MatchableRoute } from './compile.ts';
import { type Param, rankOf, type Segment, withinSegment } from './template.ts';

/** Routes with one template, those with more conditions first. */
type Group = MatchableRoute[];

interface Branch {
  readonly param: Param;
  readonly rank: number;
  readonly node: Node;
}

interface Node {
  readonly text: Map<string, Node>;
  /** in order of specificity */
  readonly params: Branch[];
  rest: Group | null;
  end: Group | null;
}

export interface Table {
  find(method: string, segments: readonly string[]): readonly MatchableRoute[];
  /** routes by method; and those of every method */
  all(segments: readonly string[]): ReadonlyMap<string, readonly MatchableRoute[]>;
}

const NONE: readonly MatchableRoute[] = [];

export function createTable(routes: readonly MatchableRoute[]): Table {
  const methods = new Map<string, Node>();
  for (const route of routes) {
    const { method, segments } = route.template;
    const root = methods.get(method) ?? empty();
    methods.set(method, root);
    const group = groupAt(root, segments);
    group.push(route);
    group.sort((a, b) => b.conditions.length - a.conditions.length);
  }
  return {
    find(method, segments) {
      const root = methods.get(method);
      return (root && walk(root, segments, 0)) ?? NONE;
    },
    all(segments) {
      const found = new Map<string, readonly MatchableRoute[]>();
      for (const [method, root] of methods) {
        const group = walk(root, segments, 0);
        if (group && group.length > 0) found.set(method, group);
      }
      return found;
    },
  };
}

const empty = (): Node => ({ text: new Map(), params: [], rest: null, end: null });

function groupAt(root: Node, segments: readonly Segment[]): Group {
  let node = root;
  for (const segment of segments) {
    if (segment.is === 'rest') {
      node.rest ??= [];
      return node.rest;
    }
    node = segment.is === 'text' ? textBranch(node, segment.text) : paramBranch(node, segment);
  }
  node.end ??= [];
  return node.end;
}

function textBranch({ text }: Node, name: string): Node {
  const held = text.get(name) ?? empty();
  text.set(name, held);
  return held;
}

function paramBranch({ params }: Node, param: Param): Node {
  const held = params.find((b) => sameParam(b.param, param));
  if (held) return held.node;
  const branch: Branch = { param, rank: rankOf(param), node: empty() };
  params.push(branch);
  params.sort((a, b) => a.rank - b.rank);
  return branch.node;
}

const sameParam = (a: Param, b: Param): boolean =>
  a.before === b.before && a.after === b.after && a.pattern?.pattern() === b.pattern?.pattern();

function walk(node: Node, segments: readonly string[], i: number): Group | null {
  const segment = segments[i];
  if (segment === undefined) return node.end;
  const next = node.text.get(segment);
  const found = next ? walk(next, segments, i + 1) : null;
  if (found) return found;
  let best: { readonly group: Group; readonly rank: number } | null = null;
  for (const { param, rank, node: inner } of node.params) {
    if (best && rank > best.rank) break;
    const group = withinSegment(param, segment) === null ? null : walk(inner, segments, i + 1);
    if (!group) continue;
    // Two patterns match this path and neither is more specific, so the route is ambiguous.
    if (best) return [];
    best = { group, rank };
  }
  return best?.group ?? node.rest;
}
