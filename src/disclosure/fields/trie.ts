/** The pointers of one catalog as a tree of steps. The automaton follows several branches of it at a time. */
import type { FieldEntry, SubjectPlace } from '../../model/catalog.ts';
import { escapeToken, KEY_POINTER, parsePointer, spellWants, type Step, type Want } from './pointer.ts';

/** What a pointer of a catalog or an answer stands for. */
export type Naming =
  | { readonly kind: 'field'; readonly entry: FieldEntry | null }
  | { readonly kind: 'embedded'; readonly resource: string };

export interface TrieNode {
  readonly id: number;
  readonly pointer: string;
  /** one character for each step, ordered so that the greater string is the more specific path */
  readonly rank: string;
  readonly exact: Map<string, TrieNode>;
  any: TrieNode | null;
  /** the name of the record (`/{key}`); only at the root */
  key: TrieNode | null;
  /** the resources that may be here, selected by a member or the name (`KEY`) */
  readonly variants: { readonly want: Want; readonly node: TrieNode }[];
  /** by the selector's spelling */
  readonly selectors: Map<string, { readonly wants: readonly Want[]; readonly node: TrieNode }>;
  naming: Naming | null;
  subject: boolean;
  /** requirements for the data subject's id here, if the catalog states any */
  readonly places: SubjectPlace[];
  readonly attributes: string[];
}

/**
 * A selector depends on the data, so it precedes a name or position, which precede `*`; more keys precede fewer. Compared from the left: for
 * `/a/b/c`, the path `/a/*` + `/c` precedes `/*` + `/b/c`.
 */
export const RANK = { name: '2', any: '1' } as const;
const SELECTOR_RANKS = '3456789';

/** precedes every other path for the same place */
const VARIANT = '9';

const rankOf = (step: Exclude<Step, { kind: 'key' }>): string =>
  step.kind === 'select' ? (SELECTOR_RANKS[step.wants.length - 1] ?? '9') : RANK[step.kind];

export class Trie {
  readonly root: TrieNode;
  #count = 0;

  constructor() {
    this.root = this.#node('', '');
  }

  /** The node of a pointer, created if it does not exist. */
  at(pointer: string): TrieNode {
    let node = this.root;
    for (const step of parsePointer(pointer)) node = this.#child(node, step);
    return node;
  }

  /** Adds the resource that is at a node if `want` matches. */
  variant(node: TrieNode, want: Want, resource: string): void {
    const variant = this.#node(node.pointer, node.rank + VARIANT);
    variant.naming = { kind: 'embedded', resource };
    node.variants.push({ want, node: variant });
  }

  #child(node: TrieNode, step: Step): TrieNode {
    if (step.kind === 'key') {
      node.key ??= this.#node(KEY_POINTER, RANK.name);
      return node.key;
    }
    const rank = node.rank + rankOf(step);
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
    const spelled = spellWants(step.wants);
    let selector = node.selectors.get(spelled);
    if (!selector) {
      selector = { wants: step.wants, node: this.#node(`${node.pointer}/${spelled}`, rank) };
      node.selectors.set(spelled, selector);
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
      key: null,
      variants: [],
      selectors: new Map(),
      naming: null,
      subject: false,
      places: [],
      attributes: [],
    };
  }
}

export const childrenOf = (node: TrieNode): TrieNode[] => [
  ...node.exact.values(),
  ...(node.any ? [node.any] : []),
  ...(node.key ? [node.key] : []),
  ...[...node.selectors.values()].map((s) => s.node),
];
