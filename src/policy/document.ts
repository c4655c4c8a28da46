/** YAML (and JSON, its subset) read with the place of every value, so that a fault names file, line and column. */
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { PolicyFault } from './opa-faults.ts';

export interface YamlDocument {
  readonly file: string;
  readonly value: unknown;
  /** a fault at a value (or, with `key`, at the name of the member that holds it) */
  fault(path: readonly (string | number)[], message: string, key?: 'key'): PolicyFault;
}

/** Anchors may repeat a node, never enough to fill the memory ("billion laughs"). */
const MAX_ALIASES = 1000;

export const readYaml = (
  file: string,
  text: string,
): { readonly document: YamlDocument } | { readonly faults: readonly PolicyFault[] } => {
  const lines = new LineCounter();
  const doc = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    strict: true,
  });
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (doc.errors.length > 0) {
    // Behind the first error of syntax a parser guesses: what it says of the rest follows from that.
    const [first] = doc.errors.filter((e) => e.code !== 'DUPLICATE_KEY');
    const told = doc.errors.filter((e) => e === first || e.code === 'DUPLICATE_KEY');
    return { faults: told.map((e) => ({ file, ...at(e.pos[0]), message: sentence(e.message) })) };
  }
  let value: unknown;
  try {
    value = doc.toJS({ maxAliasCount: MAX_ALIASES, mapAsMap: false });
  } catch (e) {
    return { faults: [{ file, line: 1, column: 1, message: (e as Error).message }] };
  }
  const place = (path: readonly (string | number)[], key: boolean): number => {
    let node: Node | null = doc.contents;
    let last = node?.range?.[0] ?? 0;
    for (const [depth, step] of path.entries()) {
      if (isMap(node)) {
        const pair: Pair | undefined = node.items.find(
          (p) => isScalar(p.key) && String(p.key.value) === String(step),
        );
        const name = (pair?.key as Node | undefined)?.range?.[0];
        if (pair === undefined) return last;
        if (name !== undefined) last = name;
        if (key && depth === path.length - 1) return last;
        node = (pair.value as Node | null) ?? null;
      } else if (isSeq(node) && typeof step === 'number')
        node = (node.items[step] as Node | undefined) ?? null;
      else return last;
      if (node?.range) last = node.range[0];
    }
    return last;
  };
  return {
    document: {
      file,
      value,
      fault: (path, message, key) => ({ file, ...at(place(path, key === 'key')), message }),
    },
  };
};

const sentence = (message: string): string => message.split('\n')[0] ?? message;

export const isObject = (v: unknown): v is { readonly [key: string]: unknown } =>
  typeof v === 'object' && v !== null && !Array.isArray(v);
