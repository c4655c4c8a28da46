/** The one reader of YAML (and JSON, its subset): values with the place of each, so that a fault names file, line and column. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parse,
  parseDocument,
  Scalar,
  visit,
} from 'yaml';
import type { Fault, Path, Place, PlacedFault } from './faults.ts';

export interface YamlDocument {
  readonly file: string;
  readonly text: string;
  readonly value: unknown;
  /** the parsed tree, for what works on nodes; null: the file holds no value */
  readonly root: Node | null;
  readonly tree: Document;
  /** plain scalars: spelling, value in YAML 1.2, and place */
  words(): readonly Word[];
  placeOf(node: Node | null | undefined): Place;
  /** of a value, or of the nearest existing value above it; with `key`, of the member's name */
  place(path: Path, key?: 'key'): Place;
  fault(path: Path, message: string, key?: 'key'): PlacedFault;
}

export interface Word extends Place {
  readonly spelled: string;
  readonly value: unknown;
}

export interface Reading {
  /**
   * `sluice`: keys are text, and an unknown tag is a fault. `opa`: for files that OPA also reads; `<<: *anchor` adds the members of
   * another mapping.
   */
  readonly dialect: 'sluice' | 'opa';
  /** The file is about people: messages quote nothing from it. */
  readonly isPersonal?: boolean;
  /** for files in which a tag would be misleading: `!!omap` makes a map of a list */
  readonly tags?: 'refused';
  /** An anchor may repeat a value, but not so often that it fills the memory ("billion laughs"). */
  readonly mostAliases?: number;
}

const MOST_ALIASES = 1000;

export type ReadYaml = { readonly document: YamlDocument } | { readonly faults: readonly Fault[] };

/** @param reading by default, as a file of a policy */
export function readYaml(file: string, text: string, reading: Reading = { dialect: 'opa' }): ReadYaml {
  const { dialect, isPersonal = false, tags, mostAliases = MOST_ALIASES } = reading;
  const lines = new LineCounter();
  const tree = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    strict: true,
    // Compared below: the parser's own comparison takes quadratic time.
    uniqueKeys: false,
    ...(dialect === 'opa' ? { merge: true } : { stringKeys: true }),
  });
  // Editors do not show a byte order mark.
  const hidden = text.startsWith('\ufeff') ? 1 : 0;
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(line > 1 ? col : col - hidden, 1) };
  };
  const placeOf = (node: Node | null | undefined): Place => at(node?.range?.[0] ?? 0);
  // After the first syntax error the parser guesses, and further errors are not reliable.
  const [broken] = tree.errors;
  const { repeated, compound, tagged, aliases } = odditiesOf(tree.contents);
  const faults: Fault[] = [];
  const report = (place: Place, message: string): void => {
    faults.push({ file, ...place, message });
  };
  if (broken !== undefined) {
    const place = at(broken.pos[0]);
    const message = `${sentenceOf(broken)}${wideIn(text, place.line)}`;
    report(place, isPersonal ? `is not YAML (${broken.code.toLowerCase()})` : message);
  }
  for (const key of repeated) report(placeOf(key), 'this key is there already');
  if (broken !== undefined) return { faults };
  for (const key of compound)
    report(placeOf(key), 'this key is a list, a mapping or an alias: a key is a text');
  if (dialect === 'sluice')
    for (const warning of tree.warnings)
      report(
        at(warning.pos[0]),
        isPersonal ? `is not plain YAML (${warning.code.toLowerCase()})` : sentenceOf(warning),
      );
  if (tags === 'refused') for (const node of tagged) report(placeOf(node), 'has a tag (!…): leave it out');
  for (const { alias, isCircular } of aliases)
    report(placeOf(alias), isCircular ? 'the value of the anchor contains itself' : NO_ANCHOR);
  if (faults.length > 0) return { faults };

  const root = tree.contents;
  const place = (path: Path, key?: 'key'): Place => placeOf(nodeAt(root, path, key === 'key'));
  let value: unknown;
  try {
    value = tree.toJS({ maxAliasCount: mostAliases, mapAsMap: false });
  } catch (e) {
    // There is no place in what the library throws here.
    const isAliases = /alias count/.test((e as Error).message);
    const message = isAliases ? 'aliases (*name) repeat too much of this file' : sentenceOf(e as Error);
    report({ line: 1, column: 1 }, isPersonal && !isAliases ? 'is not plain YAML' : message);
    return { faults };
  }
  return {
    document: {
      file,
      text,
      value,
      root,
      tree,
      words: () => wordsOf(tree).map(({ offset, ...word }) => ({ ...word, ...at(offset) })),
      placeOf,
      place,
      fault: (path, message, key) => ({ file, ...place(path, key), message }),
    },
  };
}

/** A data file of a bundle as OPA reads it: YAML 1.1, where `yes` is true. @throws Error for what is not YAML */
export const parseBundled = (text: string): unknown => parse(text, { version: '1.1' });

const NO_ANCHOR =
  'there is no anchor of this name (&name) before this alias; a text that begins with "*" needs quotes';

/** What the library says about these quotes the file: it may be a secret that its author has not put into quotes. */
const UNQUOTED: Readonly<Record<string, string>> = {
  BAD_DQ_ESCAPE: 'invalid escape sequence; a text in single quotes may hold any backslash',
  MULTIPLE_DOCS: 'a second YAML document begins here (---): a file holds one',
  TAG_RESOLVE_FAILED: 'unresolved tag; a text that begins with "!" needs quotes',
};

const sentenceOf = ({ code, message }: { readonly code?: string; readonly message: string }): string => {
  const own = code === undefined ? undefined : UNQUOTED[code];
  if (own !== undefined) return own;
  // `Block scalar header includes extra characters: |secret`
  const [line = message] = message.split(/: |\n/);
  return `${line.charAt(0).toLowerCase()}${line.slice(1).replace(/\.$/, '')}`;
};

/** Names full-width punctuation of the line, as a Chinese keyboard types it, which is text to YAML. */
function wideIn(text: string, line: number): string {
  const [found] = /[：，｛｝［］“”‘’\u00a0\u3000]/.exec(text.split('\n')[line - 1] ?? '') ?? [];
  if (found === undefined) return '';
  const code = `U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  return `; this line has "${found}" (${code}), which is no punctuation of YAML`;
}

interface Oddities {
  /** keys that their mapping has already: another reader may take the other value */
  readonly repeated: Node[];
  /** keys that are not scalars: the library would turn them into texts, and OPA refuses most */
  readonly compound: Node[];
  readonly tagged: Node[];
  /** aliases of an anchor that is not defined before them, or of a value that contains them */
  readonly aliases: { readonly alias: Alias; readonly isCircular: boolean }[];
}

function odditiesOf(root: unknown): Oddities {
  const found: Oddities = { repeated: [], compound: [], tagged: [], aliases: [] };
  // An anchor is valid from its place on, until it is redefined.
  const anchors = new Map<string, Node>();
  const open = new Set<Node>();
  const walk = (node: unknown): void => {
    if (isAlias(node)) {
      const of = anchors.get(node.source);
      if (of === undefined || open.has(of)) found.aliases.push({ alias: node, isCircular: of !== undefined });
      return;
    }
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return;
    if (node.tag !== undefined) found.tagged.push(node);
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) return;
    open.add(node);
    if (isSeq(node)) for (const item of node.items) walk(item);
    else {
      const seen = new Set<string>();
      for (const { key, value } of node.items) {
        walk(key);
        if (isScalar(key)) {
          const name = String(key.value);
          if (seen.has(name)) found.repeated.push(key);
          seen.add(name);
        } else if (isNode(key)) found.compound.push(key);
        walk(value);
      }
    }
    open.delete(node);
  };
  walk(root);
  return found;
}

function nodeAt(root: Node | null, path: Path, key: boolean): Node | null {
  let node: unknown = root;
  let found = root;
  for (const [depth, step] of path.entries()) {
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find(
        (p) => isScalar(p.key) && String(p.key.value) === String(step),
      );
      if (pair === undefined) break;
      if (isNode(pair.key)) found = pair.key;
      if (key && depth === path.length - 1) break;
      node = pair.value;
    } else if (isSeq(node)) node = node.items[Number(step)];
    else break;
    if (!isNode(node)) break;
    found = node;
  }
  return found;
}

function wordsOf(tree: Document): { spelled: string; value: unknown; offset: number }[] {
  const words: { spelled: string; value: unknown; offset: number }[] = [];
  visit(tree, {
    Scalar(_key, { type, tag, source, value, range }) {
      if (type === Scalar.PLAIN && tag === undefined && source !== undefined && range && source !== '<<')
        words.push({ spelled: source, value, offset: range[0] });
    },
  });
  return words;
}

export const isObject = (v: unknown): v is { readonly [key: string]: unknown } =>
  typeof v === 'object' && v !== null && !Array.isArray(v);
