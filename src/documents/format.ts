/**
 * Formats policy YAML (`sluice fmt`). The meaning of a file does not change: every scalar keeps its spelling and its quotes (`4820.50`, `yes`
 * and `"110101"` mean different things to different readers of YAML), members keep their order and comments their text. A file is left
 * as it is if the result would differ in more than white space and brackets.
 *
 * The rules: two spaces a level; `{ a: 1 }` and `[a, b]` where the collection stands on one line, a block where it takes several;
 * at most one empty line in a row; no white space at the end of a line, one line break at the end of the file.
 */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseAllDocuments,
  type ScalarTag,
  type Tags,
  visit,
} from 'yaml';

export type Formatted =
  | { readonly text: string }
  /** why the file is left as it is */
  | { readonly refused: string };

/** marks a comment that follows a key on its line, which the library would move to a line of its own */
const BEHIND = '\u0001';

/** Comments can move in each round of formatting; after so many rounds the file is left as it is. */
const ROUNDS = 10;

export function formatYaml(text: string): Formatted {
  let last = text;
  for (let round = 0; round < ROUNDS; round++) {
    const next = once(last);
    if ('refused' in next || next.text === last) return next;
    last = next.text;
  }
  return { refused: 'its comments stand where nothing keeps them' };
}

function once(text: string): Formatted {
  const source = text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
  // All scalars are read as text, so that none is written differently.
  const documents = read(source);
  const [document] = documents;
  if (document === undefined || documents.length > 1) return { refused: 'it does not hold one document' };
  if (document.errors.length > 0)
    return { refused: `it is not YAML: ${document.errors[0]!.message.split('\n')[0]}` };
  if (document.contents === null) return { refused: 'it is empty' };
  if (source.includes(BEHIND)) return { refused: 'it holds a control character' };
  const before = signatureOf(document);
  arrange(document, source);
  const end = /^\.\.\.[ \t]*$/m.test(source) ? '...\n' : '';
  let written = document
    .toString({ lineWidth: 0, minContentWidth: 0, indent: 2, indentSeq: true })
    .replace(new RegExp(`[ \\t]*\\n[ \\t]*#${BEHIND}`, 'g'), ' #');
  if (end !== '' && !/^\.\.\.$/m.test(written)) written = `${written.trimEnd()}\n${end}`;
  const tidy = `${written
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
  const marks = marksOf(source);
  // White space within a scalar of several lines is part of its value.
  for (const text of [tidy, written]) {
    const [again, ...more] = read(text);
    if (again === undefined || more.length > 0 || again.errors.length > 0) continue;
    if (signatureOf(again) === before && marksOf(text) === marks) return { text };
  }
  return { refused: 'written anew, it would lose a comment or mean something else' };
}

const read = (text: string) =>
  parseAllDocuments(text, {
    schema: 'failsafe',
    keepSourceTokens: true,
    prettyErrors: false,
    merge: false,
    customTags: (tags) => tags.map((tag) => (isTextTag(tag) ? folding(tag) : tag)),
  });

type Tag = Tags[number];
const isTextTag = (tag: Tag): tag is ScalarTag =>
  typeof tag === 'object' && tag.tag === 'tag:yaml.org,2002:str';

/** line width for a folded scalar that takes several lines */
const FOLDED_AT = 110;

/** A scalar on one line stays on one line. */
const folding = (tag: ScalarTag): ScalarTag => ({
  ...tag,
  stringify: (item, ctx, ...more) => {
    const { srcToken } = item as { srcToken?: { source?: string } };
    const isFolded = item.type === 'BLOCK_FOLDED' || srcToken?.source?.includes('\n') === true;
    const options = { ...ctx.options, lineWidth: FOLDED_AT, minContentWidth: 20 };
    return tag.stringify!(item, isFolded ? { ...ctx, options } : ctx, ...more);
  },
});

/** The meaning of a document under any schema: its nodes in order, with the spelling of plain scalars. */
function signatureOf(document: Document): string {
  const parts: unknown[] = [];
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) parts.push(['alias', node.source]);
      else if (isScalar(node))
        parts.push(['scalar', node.tag, node.anchor, node.type === 'PLAIN' ? 'plain' : 'quoted', node.value]);
      else if (isCollection(node))
        parts.push([isMap(node) ? 'map' : 'list', node.tag, node.anchor, node.items.length]);
    },
  });
  return JSON.stringify(parts);
}

/** Comments and document markers in order. */
const marksOf = (text: string): string =>
  JSON.stringify(
    [...new Lexer().lex(text)]
      .filter((t) => t.startsWith('#') || t === '---' || t === '...')
      .map((t) => t.trim()),
  );

type Writes = { toString(ctx?: unknown, ...more: unknown[]): string };

function arrange(document: Document, source: string): void {
  const lines = new LineCounter();
  for (let i = source.indexOf('\n'); i >= 0; i = source.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
  const lineOf = (offset: number): number => lines.linePos(offset).line;
  lines.lineStarts.unshift(0);
  visit(document, {
    Pair: (_key, pair) => {
      const { srcToken } = pair as { srcToken?: { sep?: readonly { type: string }[] } };
      const sep = srcToken?.sep ?? [];
      const comment = sep.findIndex((t) => t.type === 'comment');
      const newline = sep.findIndex((t) => t.type === 'newline');
      if (comment < 0 || (newline >= 0 && newline < comment)) return;
      const { value } = pair as { value: Node | null };
      if (isCollection(value) && typeof value.commentBefore === 'string')
        value.commentBefore = `${BEHIND}${value.commentBefore}`;
    },
    Collection: (_key, node) => {
      if (node.flow && node.range && node.items.length > 0)
        node.flow = lineOf(node.range[0]) === lineOf(node.range[1] - 1);
      pad(node as unknown as Writes, isSeq(node) ? '' : ' ');
    },
  });
}

/** The library has one setting for the padding of lists and of mappings. */
function pad(node: Writes, flowCollectionPadding: string): void {
  const written = node.toString;
  node.toString = (ctx, ...more) =>
    ctx === undefined
      ? written.call(node)
      : written.call(node, { ...(ctx as object), flowCollectionPadding }, ...more);
}
