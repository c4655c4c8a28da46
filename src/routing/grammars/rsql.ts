/** RSQL and FIQL: `name==Li*;(age=gt=40,vip==true)`; `;` or `and`, `,` or `or`. Only RSQL has quotes: FIQL would parse their content. */
import type { Grammar, Reading } from './grammar.ts';

const OPERATORS: ReadonlySet<string> = new Set(
  (
    '== != < <= > >= =lt= =le= =gt= =ge= =in= =out= =like= =notlike= =ilike= =inotlike= =icase= =isnull= =notnull= ' +
    '=null= =between= =notbetween= =bt= =nb= =sw= =ew= =ct='
  ).split(' '),
);
const TOKEN = /\s*(?:(==|!=|=[A-Za-z]+=|[<>]=?)|([;,()])|"([^"\\]*)"|'([^'\\]*)'|([^"'();,<>=!~\s\\]+))/y;
const MAX_DEPTH = 20;

interface Token {
  readonly is: 'operator' | 'mark' | 'quoted' | 'word';
  readonly text: string;
}

function tokens(text: string, reading: Reading): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const m = TOKEN.exec(text);
    if (!m) return reading.refuse('has something that is not RSQL');
    if (m[1] !== undefined) found.push({ is: 'operator', text: m[1] });
    else if (m[2] !== undefined) found.push({ is: 'mark', text: m[2] });
    else if (m[5] !== undefined) found.push({ is: 'word', text: m[5] });
    else found.push({ is: 'quoted', text: m[3] ?? m[4] ?? '' });
  }
  return found;
}

class Reader {
  readonly #tokens: Token[];
  readonly #reading: Reading;
  #at = 0;

  constructor(text: string, reading: Reading, hasQuotes: boolean) {
    this.#tokens = tokens(text, reading);
    if (!hasQuotes && this.#tokens.some(({ is }) => is === 'quoted')) reading.refuse('has a quote');
    this.#reading = reading;
  }

  all(): void {
    this.#expression(0);
    if (this.#at < this.#tokens.length) this.#fail();
  }

  #fail(): never {
    return this.#reading.refuse('has something that is not RSQL');
  }

  #takes(is: Token['is'], ...texts: string[]): boolean {
    const token = this.#tokens[this.#at];
    if (token?.is !== is || (texts.length > 0 && !texts.includes(token.text))) return false;
    this.#at++;
    return true;
  }

  #expression(depth: number): void {
    if (depth > MAX_DEPTH) this.#reading.refuse(`is nested more than ${MAX_DEPTH} levels deep`);
    do {
      if (this.#takes('mark', '(')) {
        this.#expression(depth + 1);
        if (!this.#takes('mark', ')')) this.#fail();
      } else this.#comparison();
    } while (this.#takes('mark', ';', ',') || this.#takes('word', 'and', 'or'));
  }

  #comparison(): void {
    const name = this.#tokens[this.#at];
    if (!this.#takes('word')) this.#fail();
    this.#reading.field(name!.text);
    const operator = this.#tokens[this.#at];
    // FIQL: a name alone tests whether there is a value.
    if (!this.#takes('operator')) return;
    if (!OPERATORS.has(operator!.text)) this.#reading.refuse('has an operator that is not known');
    if (!this.#takes('mark', '(')) {
      this.#value();
      return;
    }
    do this.#value();
    while (this.#takes('mark', ','));
    if (!this.#takes('mark', ')')) this.#fail();
  }

  #value(): void {
    if (!this.#takes('word') && !this.#takes('quoted')) this.#fail();
  }
}

const grammar = (hasQuotes: boolean): Grammar => ({
  hasSemicolons: true,
  value(value, reading: Reading) {
    if (typeof value !== 'string') reading.refuse('is not a text');
    if (value !== '') new Reader(value, reading, hasQuotes).all();
  },
});

/** Quotes have no escapes: not every reader supports them. */
export const rsql = grammar(true);

export const fiql = grammar(false);
