/** The languages that a route may name in `query_grammar` and `request.grammar`. */
import type { GRAMMARS } from '../section.ts';
import { directus } from './directus.ts';
import type { Grammar } from './grammar.ts';
import { fhir } from './fhir.ts';
import { mongo } from './mongo.ts';
import { odata } from './odata.ts';
import { parse } from './parse.ts';
import { postgrest } from './postgrest.ts';
import { fiql, rsql } from './rsql.ts';
import { include, select } from './select.ts';
import { sort } from './sort.ts';
import { text } from './text.ts';

export type { Grammar, Reading } from './grammar.ts';

export type GrammarName = (typeof GRAMMARS)[number];

export const grammars: { readonly [N in GrammarName]: Grammar } = {
  directus,
  fhir,
  fiql,
  include,
  mongo,
  odata,
  parse,
  postgrest,
  rsql,
  select,
  sort,
  text,
};
