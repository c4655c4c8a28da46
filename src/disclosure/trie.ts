/** The pointers of one catalog as a tree of steps; `automaton.ts` walks it, several branches at a time. */
import type { FieldEntry } from '../model/catalog.ts';
import { escapeToken, parsePointer, type Step } from './pointer.ts';

/** What a pointer of a catalog (or of an answer) names. */
export type Naming =
  | { readonly kind: 'field'; readonly entry: FieldEntry | null }
  | { readonly kind: 'embedded'; readonly resource: string };

export interface TrieNode {
  readonly id: number;
  readonly pointer: string;
  /** one character a step, ordered so that the greater string is the more specific path */
  readonly rank: string;
  readonly exact: Map<string, TrieNode>;
  any: TrieNode | null;
  readonly selectors: { readonly key: string; readonly value: string; readonly node: TrieNode }[];
  naming: Naming | null;
  subject: boolean;
  readonly attributes: string[];
}

/**
 * A selector has looked at the data, so it beats a name or a position, which beat `*`. Compared from the left: for `/a/b/c`, the
 * path `/a/*` + `/c` beats `/*` + `/b/c`.
 */
export const RANK = { select: '3', name: '2', any: '1' } as const;

export class Trie {
  readonly root: TrieNode;
  #count = 0;

  constructor() {
    this.root = this.#node('', '');
  }

  /** the node of a pointer, made if it is not there */
  at(pointer: string): TrieNode {
    let node = this.root;
    for (const step of parsePointer(pointer)) node = this.#child(node, step);
    return node;
  }

  #child(node: TrieNode, step: Step): TrieNode {
    const rank = node.rank + RANK[step.kind];
    if (step.kind === 'any') {
      node.any ??= this.#node(`${node.pointer}/*`, rank);
      return node.any;
    }
    if (step.kind === 'name') {
      let child = node.exact.get(step.name);
      if (!child) {
        child = this.#node(`${node.pointer}/${escapeToken(step.name)}`, rank);
        node.exact.set(step.name, child);
      }
      return child;
    }
    let selector = node.selectors.find((s) => s.key === step.key && s.value === step.value);
    if (!selector) {
      const pointer = `${node.pointer}/[${escapeToken(step.key)}=${escapeToken(step.value)}]`;
      selector = { key: step.key, value: step.value, node: this.#node(pointer, rank) };
      node.selectors.push(selector);
    }
    return selector.node;
  }

  #node(pointer: string, rank: string): TrieNode {
    return {
      id: this.#count++,
      pointer,
      rank,
      exact: new Map(),
      any: null,
      selectors: [],
      naming: null,
      subject: false,
      attributes: [],
    };
  }
}

export const childrenOf = (node: TrieNode): TrieNode[] => [
  ...node.exact.values(),
  ...(node.any ? [node.any] : []),
  ...node.selectors.map((s) => s.node),
];
