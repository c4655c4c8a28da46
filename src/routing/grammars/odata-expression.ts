/**
 * Expressions of OData, versions 2 and 4 (OData 4.01 URL Conventions §5.1.1, OData 2.0 §4.5). Only the names matter, so precedence
 * does not: operands and operators alternate, and every identifier is an operator, a function, a literal, or a listed name.
 */
import type { Reading } from './grammar.ts';

const OPERATORS: ReadonlySet<string> = new Set(
  'and or eq ne gt ge lt le has in add sub mul div divby mod'.split(' '),
);
const DIVISIONS: ReadonlySet<string> = new Set(['div', 'divby', 'mod']);
const FUNCTIONS: ReadonlySet<string> = new Set(
  (
    'contains startswith endswith substringof indexof length substring replace tolower toupper trim concat matchesPattern hassubset ' +
    'hassubsequence year month day hour minute second fractionalseconds totaloffsetminutes date time now mindatetime maxdatetime ' +
    'totalseconds round floor ceiling geo.distance geo.intersects geo.length'
  ).split(' '),
);
const LITERALS: ReadonlySet<string> = new Set(['null', 'true', 'false', 'NaN', 'INF']);
const TEXT = "'(?:[^']|'')*'";
const NAME = '[\\p{L}_][\\p{L}\\p{N}_.]*';
const TOKEN = new RegExp(
  [
    // datetime'…', guid'…', Namespace.Enum'…'
    `(?<literal>${TEXT}|${NAME}${TEXT}`,
    '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}',
    '\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d+)?)?(?:Z|[+-]\\d{2}:\\d{2})?)?',
    '\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d+)?)?',
    '[+-]?\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?[LlMmFfDd]?)(?![\\p{L}\\p{N}_])',
    `(?<name>${NAME}(?:/(?:${NAME}|\\$count(?![\\p{L}\\p{N}_])))*)`,
    '(?<mark>[(),:-])',
  ].join('|'),
  'uy',
);
const MAX_DEPTH = 30;

interface Token {
  readonly is: 'literal' | 'name' | 'mark';
  readonly text: string;
}

function tokens(text: string, reading: Reading): Token[] {
  const found: Token[] = [];
  let at = 0;
  for (;;) {
    while (text[at] === ' ' || text[at] === '\t') at++;
    if (at >= text.length) return found;
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) return reading.refuse('has something that is not an OData expression');
    const { literal, name, mark } = groups;
    if (literal !== undefined) found.push({ is: 'literal', text: literal });
    else if (name !== undefined) found.push({ is: 'name', text: name });
    else found.push({ is: 'mark', text: mark! });
    at = TOKEN.lastIndex;
  }
}

/** Variables of the open lambdas, with the collection of each. */
type Scope = ReadonlyMap<string, string>;

class Reader {
  readonly #tokens: Token[];
  readonly #reading: Reading;
  #at = 0;

  constructor(text: string, reading: Reading) {
    this.#tokens = tokens(text, reading);
    this.#reading = reading;
  }

  condition(): void {
    this.#expression(new Map(), 0);
    if (this.#at < this.#tokens.length) this.#fail();
  }

  order(): void {
    do {
      this.#expression(new Map(), 0);
      void (this.#takesName('asc') || this.#takesName('desc'));
    } while (this.#takes(','));
    if (this.#at < this.#tokens.length) this.#fail();
  }

  #fail(): never {
    return this.#reading.refuse('has something that is not an OData expression');
  }

  #takes(mark: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.is !== 'mark' || token.text !== mark) return false;
    this.#at++;
    return true;
  }

  #takesName(name: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.is !== 'name' || token.text !== name) return false;
    this.#at++;
    return true;
  }

  #expression(scope: Scope, depth: number): void {
    if (depth > MAX_DEPTH) this.#reading.refuse(`is nested more than ${MAX_DEPTH} levels deep`);
    for (;;) {
      this.#operand(scope, depth);
      const token = this.#tokens[this.#at];
      if (token?.is !== 'name' || !OPERATORS.has(token.text)) return;
      this.#at++;
      // A division that fails for a single record would reveal, by the upstream's error, that the record exists.
      if (DIVISIONS.has(token.text) && !/^[+-]?[0.]*[1-9]/.test(this.#tokens[this.#at]?.text ?? ''))
        this.#reading.refuse('divides by something other than a number');
    }
  }

  #operand(scope: Scope, depth: number): void {
    while (this.#takesName('not') || this.#takes('-'));
    const token = this.#tokens[this.#at++];
    if (token === undefined) this.#fail();
    if (token.is === 'literal') return;
    if (token.is === 'mark') {
      if (token.text !== '(') this.#fail();
      this.#arguments(scope, depth);
    } else if (this.#takes('(')) {
      const at = token.text.lastIndexOf('/');
      if (at !== -1) this.#lambda(token.text.slice(0, at), token.text.slice(at + 1), scope, depth);
      else if (!FUNCTIONS.has(token.text)) this.#reading.refuse('has a function that is not known');
      else if (!this.#takes(')')) this.#arguments(scope, depth);
    } else if (!LITERALS.has(token.text)) this.#reading.field(resolved(token.text, scope));
  }

  /** A list up to its closing bracket: arguments, a list after `in`, or one expression in brackets. */
  #arguments(scope: Scope, depth: number): void {
    do this.#expression(scope, depth + 1);
    while (this.#takes(','));
    if (!this.#takes(')')) this.#fail();
  }

  /** `Orders/any(o: o/Amount gt 3)`; `any()` tests whether an element exists. */
  #lambda(path: string, quantifier: string, scope: Scope, depth: number): void {
    if (quantifier !== 'any' && quantifier !== 'all')
      this.#reading.refuse('has a function that is not known');
    const collection = resolved(path, scope);
    this.#reading.field(collection);
    if (this.#takes(')')) return;
    const variable = this.#tokens[this.#at++];
    if (variable?.is !== 'name' || variable.text.includes('/') || !this.#takes(':')) this.#fail();
    this.#expression(new Map(scope).set(variable.text, collection), depth + 1);
    if (!this.#takes(')')) this.#fail();
  }
}

/** The path as the route lists it: without `/$count`, and with a variable replaced by its collection. */
function resolved(path: string, scope: Scope): string {
  const [first = '', ...rest] = path.replace(/\/\$count$/, '').split('/');
  return [scope.get(first) ?? first, ...rest].join('/');
}

export const readCondition = (text: string, reading: Reading): void => new Reader(text, reading).condition();

export const readOrder = (text: string, reading: Reading): void => new Reader(text, reading).order();
