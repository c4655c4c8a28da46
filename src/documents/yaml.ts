/** YAML (and JSON, its subset) read with the place of every value, so that a fault names file, line and column. */
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  Scalar,
  visit,
} from 'yaml';
import type { PolicyFault } from './faults.ts';

export interface YamlDocument {
  readonly file: string;
  readonly value: unknown;
  /** names and values without quotes, as they are spelled, with what they mean here (YAML 1.2) and where they stand */
  words(): readonly Word[];
  /** a fault at a value (or, with `key`, at the name of the member that holds it) */
  fault(path: readonly (string | number)[], message: string, key?: 'key'): PolicyFault;
}

export interface Word {
  readonly spelled: string;
  readonly value: unknown;
  readonly line: number;
  readonly column: number;
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
    // as OPA reads it: `<<: *anchor` adds the members of another mapping
    merge: true,
  });
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (doc.errors.length > 0) {
    // Behind the first error of syntax a parser guesses: what it says of the rest follows from that.
    const [first] = doc.errors.filter((e) => e.code !== 'DUPLICATE_KEY');
    const told = doc.errors.filter((e) => e === first || e.code === 'DUPLICATE_KEY');
    return {
      faults: told.map((e) => {
        const place = at(e.pos[0]);
        return { file, ...place, message: `${sentenceOf(e)}${wideIn(text, place.line)}` };
      }),
    };
  }
  const circular = circularIn(doc);
  if (circular !== null)
    return {
      faults: [
        { file, ...at(circular.at), message: `the value of the anchor &${circular.name} contains itself` },
      ],
    };
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
      words: () => wordsOf(doc).map(({ node, offset }) => ({ ...node, ...at(offset) })),
      fault: (path, message, key) => ({ file, ...at(place(path, key === 'key')), message }),
    },
  };
};

const sentenceOf = ({ code, message }: { readonly code: string; readonly message: string }): string =>
  code === 'MULTIPLE_DOCS'
    ? 'a second document begins here (---): a file holds one'
    : (message.split('\n')[0] ?? message);

/** Punctuation as a Chinese keyboard types it is text to YAML. */
function wideIn(text: string, line: number): string {
  const [found] = /[：，｛｝［］“”‘’\u00a0\u3000]/.exec(text.split('\n')[line - 1] ?? '') ?? [];
  if (found === undefined) return '';
  const code = `U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  return `; this line has "${found}" (${code}), which is no punctuation of YAML`;
}

/** an alias within what it stands for */
function circularIn(doc: Document): { readonly name: string; readonly at: number } | null {
  let found: { readonly name: string; readonly at: number } | null = null;
  visit(doc, {
    Alias(_key, node, path) {
      const of = node.resolve(doc);
      if (of === undefined || !path.includes(of)) return undefined;
      found = { name: node.source, at: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}

function wordsOf(doc: Document): { node: { spelled: string; value: unknown }; offset: number }[] {
  const words: { node: { spelled: string; value: unknown }; offset: number }[] = [];
  visit(doc, {
    Scalar(_key, { type, tag, source, value, range }) {
      if (type === Scalar.PLAIN && tag === undefined && source !== undefined && range && source !== '<<')
        words.push({ node: { spelled: source, value }, offset: range[0] });
    },
  });
  return words;
}

export const isObject = (v: unknown): v is { readonly [key: string]: unknown } =>
  typeof v === 'object' && v !== null && !Array.isArray(v);
