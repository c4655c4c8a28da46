/** Pointers (`model/pointer.ts`) into parsed bodies. `*` matches one step, `**` any number of steps. */
import { pointerOf } from '../model/pointer.ts';

export type Steps = readonly string[];

const isContainer = (v: unknown): v is object => typeof v === 'object' && v !== null;

/** True if a value is, or is a list that holds, an object with members. */
export const holdsObject = (v: unknown): boolean =>
  Array.isArray(v) ? v.some(holdsObject) : isContainer(v) && Object.keys(v).length > 0;

/** The value at a pointer without wildcards; undefined if there is none. */
export function at(tree: unknown, steps: Steps): unknown {
  let node = tree;
  for (const step of steps) {
    if (!isContainer(node)) return undefined;
    if (Array.isArray(node) && !/^(0|[1-9]\d*)$/.test(step)) return undefined;
    if (!Object.hasOwn(node, step)) return undefined;
    node = (node as Record<string, unknown>)[step];
  }
  return node;
}

/** Every value that a pointer with wildcards matches. */
export function* all(tree: unknown, steps: Steps): Generator<unknown, void, void> {
  const [step, ...rest] = steps;
  if (step === undefined) yield tree;
  else if (step === '**') {
    yield* all(tree, rest);
    if (isContainer(tree)) for (const child of Object.values(tree)) yield* all(child, steps);
  } else if (step === '*') {
    if (isContainer(tree)) for (const child of Object.values(tree)) yield* all(child, rest);
  } else {
    const child = at(tree, [step]);
    if (child !== undefined) yield* all(child, rest);
  }
}

/**
 * True if each scalar of the tree is at a path that matches one of the patterns. An empty object or list may also be where a pattern
 * matches a member that it could have.
 */
export function covered(tree: unknown, patterns: readonly Steps[]): boolean {
  if (patterns.some((p) => p[0] === '**' && p.length === 1)) return true;
  const children = isContainer(tree) ? Object.entries(tree) : [];
  if (children.length === 0)
    return isContainer(tree) ? patterns.length > 0 : patterns.some((p) => p.every((s) => s === '**'));
  return children.every(([key, child]) => {
    const alive: Steps[] = [];
    const advance = (p: Steps): void => {
      const [step, ...rest] = p;
      if (step === undefined) return;
      if (step === '**') {
        alive.push(p);
        advance(rest);
      } else if (step === '*' || step === key) alive.push(rest);
    };
    for (const p of patterns) advance(p);
    return alive.length > 0 && covered(child, alive);
  });
}

/**
 * Pointers of all scalars (and empty containers), list positions as `*`.
 * @param elements for XML: a list is a repeated element, which adds no step, and `#text` is the text of its element
 */
export function leaves(tree: unknown, into: Set<string>, elements: boolean, prefix: Steps = []): void {
  const children = isContainer(tree) ? Object.entries(tree) : [];
  if (children.length === 0) into.add(pointerOf(prefix));
  const isList = Array.isArray(tree);
  for (const [key, child] of children) {
    const takesNone = elements && (isList || key === '#text');
    leaves(child, into, elements, takesNone ? prefix : [...prefix, isList ? '*' : key]);
  }
}

/** Every scalar of the tree with its path. */
export function* scalars(
  tree: unknown,
  path: Steps = [],
): Generator<readonly [path: Steps, value: unknown], void, void> {
  if (!isContainer(tree)) yield [path, tree];
  else for (const [key, child] of Object.entries(tree)) yield* scalars(child, [...path, key]);
}

/** Whether a pattern matches a path. */
export function covers(pattern: Steps, path: Steps): boolean {
  const [step, ...rest] = pattern;
  if (step === undefined) return path.length === 0;
  if (step === '**') return covers(rest, path) || (path.length > 0 && covers(pattern, path.slice(1)));
  return path.length > 0 && (step === '*' || step === path[0]) && covers(rest, path.slice(1));
}
