/** `graphql.*`: parsing and validation by graphql-js, as lenient as the parser that OPA uses. */
import type { DefinitionNode, DocumentNode, GraphQLSchema, OperationTypeNode } from 'graphql';
import { Kind } from 'graphql/language/kinds.js';
import { isExecutableDefinitionNode } from 'graphql/language/predicates.js';
import type { RegoValue } from '../../values.ts';
import { fail, isLimit, string, tooLarge } from '../operands.ts';
import { BuiltinFailure, type Family } from '../types.ts';
import { library } from './library.ts';
import { querySource, schemaSource } from './source.ts';
import { commentTree, isExtension, queryTree, schemaTree } from './trees.ts';

/** limit for tokens of a document: parsing and validating take quadratic time */
const MAX_TOKENS = 50_000;

/** In two steps, since one pattern for comments and the rest takes exponential time. */
const isEmpty = (source: string): boolean => !/[^ \t\r\n,\ufeff]/.test(source.replace(/#[^\n\r]*/g, ''));

const attempt = <T>(run: () => T): T => {
  try {
    return run();
  } catch (e) {
    if (e instanceof BuiltinFailure || isLimit(e)) throw e;
    // graphql-js has no error type for this limit.
    if (e instanceof Error && /more tha[nt] \d+ tokens/.test(e.message))
      return tooLarge(`A GraphQL document of more than ${MAX_TOKENS} tokens is not read`);
    return fail('not valid GraphQL');
  }
};

const NOTHING: DocumentNode = { kind: Kind.DOCUMENT, definitions: [] };

const parse = (source: string): DocumentNode =>
  isEmpty(source)
    ? NOTHING
    : attempt(() => library().parse(source, { maxTokens: MAX_TOKENS, allowLegacyFragmentVariables: true }));

const document = (definitions: readonly DefinitionNode[]): DocumentNode => ({
  kind: Kind.DOCUMENT,
  definitions,
});

const queryOf = (v: RegoValue | undefined): DocumentNode => {
  const parsed = parse(v instanceof Map ? querySource(v) : string(v));
  return parsed.definitions.every(isExecutableDefinitionNode) ? parsed : fail('not a query');
};

const schemaOf = (v: RegoValue | undefined): DocumentNode => {
  const parsed = parse(v instanceof Map ? schemaSource(v) : string(v));
  return parsed.definitions.some(isExecutableDefinitionNode) ? fail('not a schema') : parsed;
};

const nameOf = (d: DefinitionNode): string => ('name' in d ? (d.name?.value ?? '') : '');

/** OPA's parser accepts `extend type` without a definition of the type. */
const withBases = ({ definitions }: DocumentNode): DocumentNode => {
  const defined = new Set(definitions.filter((d) => !isExtension(d)).map(nameOf));
  return document(
    definitions.map((d) => {
      if (!isExtension(d) || d.kind === Kind.SCHEMA_EXTENSION || defined.has(nameOf(d))) return d;
      defined.add(nameOf(d));
      return { ...d, kind: d.kind.replace(/Extension$/, 'Definition') } as DefinitionNode;
    }),
  );
};

/** Errors that OPA's validator does not report: a schema without a query type, and cycles of input types. */
const HARMLESS = /^Query root type must be provided|^Cannot reference Input Object/;

/** types that every schema has */
const BUILT_IN = ['Int', 'Float', 'String', 'Boolean', 'ID'];

const build = (source: DocumentNode): GraphQLSchema =>
  attempt(() => {
    const { definitions } = withBases(source);
    if (definitions.some((d) => d.kind === Kind.SCALAR_TYPE_DEFINITION && BUILT_IN.includes(nameOf(d)))) {
      return fail('a type is already defined');
    }
    const bases = document(definitions.filter((d) => !isExtension(d)));
    const extensions = document(definitions.filter(isExtension));
    const { buildASTSchema, extendSchema, validateSchema } = library();
    const base = buildASTSchema(bases);
    const schema = extensions.definitions.length === 0 ? base : extendSchema(base, extensions);
    if (validateSchema(schema).some((e) => !HARMLESS.test(e.message))) return fail('not a valid schema');
    return schema;
  });

const ROOTS = {
  query: 'getQueryType',
  mutation: 'getMutationType',
  subscription: 'getSubscriptionType',
} as const;

const isValid = (schema: GraphQLSchema, query: DocumentNode): boolean => {
  for (const d of query.definitions) {
    if (d.kind !== Kind.OPERATION_DEFINITION) continue;
    const root = ROOTS[d.operation as `${OperationTypeNode}`];
    if (!schema[root]()) return false;
  }
  if (query.definitions.length === 0) return true;
  // OPA's validator ignores variables of a fragment.
  const plain = document(
    query.definitions.map((d) =>
      d.kind === Kind.FRAGMENT_DEFINITION && d.variableDefinitions !== undefined
        ? { ...d, variableDefinitions: [] }
        : d,
    ),
  );
  const { specifiedRules, validate } = library();
  return attempt(() => validate(schema, plain, specifiedRules, { maxErrors: 1 })).length === 0;
};

/** @returns the two trees, or fails */
const checked = (
  query: RegoValue | undefined,
  schema: RegoValue | undefined,
): readonly [RegoValue, RegoValue] => {
  const q = queryOf(query);
  const s = schemaOf(schema);
  if (!isValid(build(s), q)) return fail('the query is not valid against the schema');
  return [queryTree(q), schemaTree(s)];
};

const holds = (run: () => unknown): boolean => {
  try {
    run();
    return true;
  } catch (e) {
    if (e instanceof BuiltinFailure) return false;
    throw e;
  }
};

export const graphql: Family = {
  'graphql.parse': ([query, schema]) => [...checked(query, schema)],
  'graphql.parse_and_verify': ([query, schema]) => {
    try {
      return [true, ...checked(query, schema)];
    } catch (e) {
      if (e instanceof BuiltinFailure) return [false, new Map(), new Map()];
      throw e;
    }
  },
  'graphql.parse_query': ([query]) => queryTree(queryOf(string(query))),
  'graphql.parse_schema': ([schema]) => {
    const source = string(schema);
    return isEmpty(source) ? commentTree(source) : schemaTree(schemaOf(source));
  },
  'graphql.is_valid': ([query, schema]) => holds(() => checked(query, schema)),
  'graphql.schema_is_valid': ([schema]) => holds(() => build(schemaOf(schema))),
};
