/** Go's text/template syntax (https://pkg.go.dev/text/template) as a tree. Longer than most files: one grammar. */
import { goInteger } from '../numbers/go-integers.ts';
import { fail } from '../operands.ts';

export type Operand =
  | { readonly kind: 'dot' | 'nil' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'field'; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe; readonly path: readonly string[] };

export interface Pipe {
  readonly variables: readonly string[];
  readonly declares: boolean;
  /** each command is a function or a value, followed by its arguments */
  readonly commands: readonly (readonly Operand[])[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: 'template'; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly kind: 'break' | 'continue' };

export interface Template {
  readonly body: readonly Node[];
  readonly named: ReadonlyMap<string, readonly Node[]>;
}

interface Piece {
  readonly text: string;
  readonly action: boolean;
}

const SPACE = ' \t\r\n';

/** the end of the action that starts at `from`; quoted text is skipped */
const endOfAction = (source: string, from: number): number => {
  for (let i = from; i < source.length; i++) {
    const c = source[i] as string;
    if (source.startsWith('}}', i)) return i;
    if (c === '`') {
      i = source.indexOf('`', i + 1);
      if (i < 0) return fail('raw text is not closed');
    } else if (c === '"' || c === "'") {
      for (i += 1; source[i] !== c; i++) {
        if (i >= source.length || source[i] === '\n') return fail('text is not closed');
        if (source[i] === '\\') i += 1;
      }
    }
  }
  return fail('an action is not closed');
};

/** Splits the source into text and actions, and trims white space at `{{-` and `-}}`. */
const pieces = (source: string): Piece[] => {
  const out: Piece[] = [];
  let at = 0;
  let trim = false;
  while (at <= source.length) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trim) text = text.replace(/^[ \t\r\n]+/, '');
    if (open < 0) {
      out.push({ text, action: false });
      return out;
    }
    let start = open + 2;
    if (source[start] === '-' && SPACE.includes(source[start + 1] ?? 'x')) {
      text = text.replace(/(?<![ \t\r\n])[ \t\r\n]+$/, '');
      start += 2;
    }
    out.push({ text, action: false });
    if (source.startsWith('/*', start)) {
      const comment =
        /^\/\*[\s\S]*?\*\/(?:([ \t\r\n]-)?\}\})/.exec(source.slice(start)) ?? fail('a comment is not closed');
      trim = comment[1] !== undefined;
      at = start + comment[0].length;
      continue;
    }
    const end = endOfAction(source, start);
    const inner = source.slice(start, end);
    trim = /[ \t\r\n]-$/.test(inner);
    out.push({ text: trim ? inner.slice(0, -2) : inner, action: true });
    at = end + 2;
  }
  return out;
};

const WORD = String.raw`[\p{L}_][\p{L}\p{Nd}_]*`;
const TOKEN = new RegExp(
  String.raw`([ \t\r\n]+)|("(?:[^"\\\n]|\\.)*"|` +
    '`[^`]*`' +
    String.raw`|'(?:[^'\\\n]|\\.)+')|((?:\.${WORD})+)|(\$(?:${WORD})?(?:\.${WORD})*)|([-+]?\.?\d(?:[eEpP][-+]|[\w.])*)|(${WORD})|(:=|[.()|,=])`,
  'uy',
);

interface Token {
  readonly text: string;
  readonly type: 'string' | 'field' | 'variable' | 'number' | 'word' | 'symbol';
  /** white space precedes it */
  readonly spaced: boolean;
}

const tokenize = (source: string): Token[] => {
  const out: Token[] = [];
  let spaced = true;
  for (let at = 0; at < source.length; ) {
    TOKEN.lastIndex = at;
    const m = TOKEN.exec(source) ?? fail('unexpected character');
    at += m[0].length;
    if (m[1] !== undefined) {
      spaced = true;
      continue;
    }
    const type =
      m[2] !== undefined
        ? 'string'
        : m[3] !== undefined
          ? 'field'
          : m[4] !== undefined
            ? 'variable'
            : m[5] !== undefined
              ? 'number'
              : m[6] !== undefined
                ? 'word'
                : 'symbol';
    out.push({ text: m[0], type, spaced });
    spaced = false;
  }
  return out;
};

const ESCAPES: { readonly [c: string]: string } = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const unquote = (quoted: string): string => {
  if (quoted[0] === '`') return quoted.slice(1, -1);
  return quoted
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs,
      (_, x, u, long, octal, c) => {
        const code = x ?? u ?? long;
        if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
        if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
        if (ESCAPES[c] !== undefined) return ESCAPES[c];
        return '\\\'"'.includes(c) ? c : fail('unknown escape');
      },
    );
};

const numberOperand = (text: string): Operand => {
  const plain = text.replace(/(?<=\d|^[-+]?0[xXoObB]?)_(?=[\da-fA-F])/g, '');
  const value = goInteger(plain);
  if (value !== undefined)
    return BigInt.asIntN(64, value) === value ? { kind: 'int', value } : fail('the integer is too large');
  return /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(plain)
    ? { kind: 'float', value: Number(plain) }
    : fail('not a number');
};

const pathOf = (text: string): string[] => text.split('.').slice(1);

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  next(): Token {
    return this.#tokens[this.#at++] ?? fail('an action ends too soon');
  }

  take(text: string): boolean {
    if (this.peek()?.text !== text || this.peek()?.type === 'string') return false;
    this.#at += 1;
    return true;
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }
}

type Scope = string[];

const operand = (r: Reader, scope: Scope): Operand => {
  const t = r.next();
  switch (t.type) {
    case 'string':
      return t.text[0] === "'"
        ? { kind: 'int', value: BigInt(unquote(t.text).codePointAt(0) ?? 0) }
        : { kind: 'string', value: unquote(t.text) };
    case 'number':
      return numberOperand(t.text);
    case 'field':
      return { kind: 'field', path: pathOf(t.text) };
    case 'variable': {
      const [name = '$'] = t.text.split('.');
      return scope.includes(name)
        ? { kind: 'variable', name, path: pathOf(t.text) }
        : fail('undeclared variable');
    }
    case 'word':
      if (t.text === 'true' || t.text === 'false') return { kind: 'bool', value: t.text === 'true' };
      return t.text === 'nil' ? { kind: 'nil' } : { kind: 'function', name: t.text };
    default:
      if (t.text === '.') return { kind: 'dot' };
      if (t.text !== '(') return fail('a symbol where a value should be');
  }
  const pipe = pipeline(r, scope, false);
  if (!r.take(')')) return fail('a parenthesis is not closed');
  const after = r.peek();
  if (after?.type !== 'field' || after.spaced) return { kind: 'pipe', pipe, path: [] };
  return { kind: 'pipe', pipe, path: pathOf(r.next().text) };
};

const command = (r: Reader, scope: Scope): Operand[] => {
  const out: Operand[] = [];
  while (!r.done && r.peek()?.text !== '|' && r.peek()?.text !== ')') {
    if (out.length > 0 && r.peek()?.spaced !== true) return fail('two values without a space between');
    out.push(operand(r, scope));
  }
  return out;
};

/** Reads `$a, $b := ` at the start of a pipeline; two variables are allowed only in `range`. */
const declaration = (r: Reader, scope: Scope, range: boolean): { variables: string[]; declares: boolean } => {
  const first = r.peek();
  if (first?.type !== 'variable' || first.text.includes('.')) return { variables: [], declares: false };
  const second = r.peek(1)?.text;
  if (second === ':=' || second === '=') {
    r.next();
    r.next();
    if (second === '=' && !scope.includes(first.text)) return fail('undeclared variable');
    return { variables: [first.text], declares: second === ':=' };
  }
  const assign = r.peek(3)?.text;
  if (second !== ',' || (assign !== ':=' && assign !== '=')) return { variables: [], declares: false };
  if (!range) return fail('only range declares two variables');
  const one = r.next().text;
  r.next();
  const variables = [one, r.next().text];
  r.next();
  if (assign === '=' && !variables.every((v) => scope.includes(v))) return fail('undeclared variable');
  return { variables, declares: assign === ':=' };
};

const pipeline = (r: Reader, scope: Scope, range: boolean): Pipe => {
  const { variables, declares } = declaration(r, scope, range);
  const commands = [command(r, scope)];
  while (r.take('|')) {
    const next = command(r, scope);
    if (next.length > 0) commands.push(next);
  }
  if (commands[0]?.length === 0) return fail('a value is missing');
  for (const [first] of commands.slice(1)) {
    if (first !== undefined && ['bool', 'string', 'int', 'float', 'nil', 'dot'].includes(first.kind)) {
      return fail('a value cannot take arguments');
    }
  }
  if (declares) scope.push(...variables);
  return { variables, declares, commands };
};

interface Block {
  readonly nodes: Node[];
  /** the action that ended the list: `end` or `else …`; undefined at the end of the source */
  readonly ender: Reader | undefined;
  readonly word: string;
}

class Parser {
  readonly #pieces: readonly Piece[];
  readonly #named = new Map<string, readonly Node[]>();
  #at = 0;
  constructor(source: string) {
    this.#pieces = pieces(source);
  }

  parse(): Template {
    const { nodes, word } = this.#block(['$'], 0);
    if (word !== '') return fail(`${word} without a beginning`);
    return { body: nodes, named: this.#named };
  }

  #block(scope: Scope, loops: number): Block {
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.#pieces[this.#at++];
      if (piece === undefined) return { nodes, ender: undefined, word: '' };
      if (!piece.action) {
        if (piece.text !== '') nodes.push({ kind: 'text', text: piece.text });
        continue;
      }
      const r = new Reader(tokenize(piece.text));
      const word = r.peek()?.type === 'word' ? (r.peek()?.text ?? '') : '';
      if (word === 'end' || word === 'else') {
        r.next();
        return { nodes, ender: r, word };
      }
      nodes.push(...this.#action(r, word, scope, loops));
      if (!r.done) return fail('more than one action');
    }
  }

  #action(r: Reader, word: string, scope: Scope, loops: number): Node[] {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        r.next();
        return [this.#branch(word, r, [...scope], loops)];
      case 'break':
      case 'continue':
        r.next();
        return loops > 0 ? [{ kind: word }] : fail(`${word} outside of range`);
      case 'define': {
        r.next();
        this.#define(this.#name(r), this.#closed(['$'], 0));
        return [];
      }
      case 'block': {
        r.next();
        const name = this.#name(r);
        const pipe = pipeline(r, [...scope], false);
        this.#define(name, this.#closed(['$'], 0));
        return [{ kind: 'template', name, pipe }];
      }
      case 'template': {
        r.next();
        const name = this.#name(r);
        return [{ kind: 'template', name, pipe: r.done ? undefined : pipeline(r, scope, false) }];
      }
      default:
        return [{ kind: 'action', pipe: pipeline(r, scope, false) }];
    }
  }

  /** An empty definition may be replaced. */
  #define(name: string, nodes: readonly Node[]): void {
    const isEmpty = (body: readonly Node[] | undefined): boolean =>
      (body ?? []).every((n) => n.kind === 'text' && n.text.trim() === '');
    if (isEmpty(this.#named.get(name))) this.#named.set(name, nodes);
    else if (!isEmpty(nodes)) fail('two templates of one name');
  }

  #name(r: Reader): string {
    const t = r.next();
    return t.type === 'string' ? unquote(t.text) : fail('a template has a name in quotes');
  }

  #closed(scope: Scope, loops: number): readonly Node[] {
    const { nodes, word } = this.#block(scope, loops);
    return word === 'end' ? nodes : fail('end is missing');
  }

  #branch(kind: 'if' | 'with' | 'range', r: Reader, scope: Scope, loops: number): Node {
    const pipe = pipeline(r, scope, kind === 'range');
    const { nodes: body, ender, word } = this.#block([...scope], kind === 'range' ? loops + 1 : loops);
    if (word === '') return fail('end is missing');
    if (word === 'end') return { kind, pipe, body, otherwise: [] };
    const chained = ender?.peek()?.text;
    if (ender !== undefined && chained === kind && kind !== 'range') {
      ender.next();
      return { kind, pipe, body, otherwise: [this.#branch(kind, ender, [...scope], loops)] };
    }
    if (ender?.done !== true) return fail('else is followed by something else');
    return { kind, pipe, body, otherwise: this.#closed([...scope], loops) };
  }
}

export const parseTemplate = (source: string): Template => new Parser(source).parse();
