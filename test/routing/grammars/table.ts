/** Runs a grammar's table of searches against a router: what is accepted, with the fields it goes by, and what is refused. */
import { expect, test } from 'vitest';
import type { SluiceError } from '../../../src/errors.ts';
import { ask, codeOf, route, routerOf } from '../setup.ts';

export interface Table {
  readonly grammar: string;
  /** parameter that the grammar is named at; `*` for a language of many names */
  readonly at: string;
  /** name in the language → field */
  readonly fields: Readonly<Record<string, string | readonly string[]>>;
  /** query, decoded → pointers that the request then goes by */
  readonly accepted: readonly (readonly [query: string, fields: readonly string[]])[];
  readonly refused: readonly string[];
}

/** A query as a client sends it: names and values percent-encoded, `&` and the first `=` as they stand. */
export const encoded = (query: string): string =>
  query
    .split('&')
    .map((pair) => {
      const at = pair.indexOf('=');
      const [name, value] = at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
    })
    .join('&');

export function holdsTable({ grammar, at, fields, accepted, refused }: Table): void {
  const router = routerOf(
    route('GET /c', { action: 'search', query_grammar: { [at]: { grammar, fields } }, query_params: ['x'] }),
  );
  test.each(accepted)('%s goes by %j', (query, pointers) => {
    expect(ask(router, 'GET', `/c?${encoded(query)}`).queryFields).toEqual([...pointers].sort());
  });
  test.each(refused)('%s is refused, and the message holds nothing of it', (query) => {
    expect(codeOf(router, 'GET', `/c?${encoded(query)}`)).toMatch(
      /^(?:query_parameter_unknown|request_malformed)$/,
    );
    try {
      ask(router, 'GET', `/c?${encoded(query)}`);
    } catch (e) {
      expect((e as SluiceError).message).not.toContain('ssn');
    }
  });
}
