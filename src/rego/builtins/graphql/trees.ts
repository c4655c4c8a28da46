/** Converts documents of graphql-js to the trees that OPA returns: those of gqlparser, without positions and without null or empty members. */
import type {
  ConstDirectiveNode,
  DefinitionNode,
  DirectiveNode,
  DocumentNode,
  FieldDefinitionNode,
  InputValueDefinitionNode,
  SelectionNode,
  StringValueNode,
  Token,
  TypeNode,
  ValueNode,
  VariableDefinitionNode,
} from 'graphql';
import { Kind } from 'graphql/language/kinds.js';
import { TokenKind } from 'graphql/language/tokenKind.js';
import { fieldsOf, type RegoValue } from '../../values.ts';

type Tree = { readonly [member: string]: RegoValue | undefined };

const isEmpty = (v: RegoValue | undefined): boolean =>
  v === undefined || v === null || (Array.isArray(v) && v.length === 0) || (v instanceof Map && v.size === 0);

/** an object without its null and empty members; empty strings stay */
const tree = (members: Tree): RegoValue =>
  fieldsOf(
    Object.fromEntries(Object.entries(members).filter(([, v]) => !isEmpty(v))) as {
      [member: string]: RegoValue;
    },
  );

interface Located {
  readonly loc?: { readonly startToken: Token; readonly endToken: Token } | undefined;
}

interface Described extends Located {
  readonly description?: StringValueNode | undefined;
}

/** the comments right before a token */
const commentsBefore = (token: Token | null | undefined): RegoValue => {
  const list: RegoValue[] = [];
  for (let t = token?.prev; t?.kind === TokenKind.COMMENT; t = t.prev)
    list.unshift(fieldsOf({ Value: `#${t.value}` }));
  return tree({ List: list });
};

const comment = (node: Located): RegoValue => commentsBefore(node.loc?.startToken);

/** comments before the description of a definition, and before the definition itself */
const comments = (node: Described): Tree => {
  const text = node.description?.loc?.endToken;
  if (text === undefined) return { AfterDescriptionComment: comment(node) };
  let next = text.next;
  while (next?.kind === TokenKind.COMMENT) next = next.next;
  return { BeforeDescriptionComment: comment(node), AfterDescriptionComment: commentsBefore(next) };
};

/** comments before the brace that ends a definition */
const closing = (node: Located): RegoValue =>
  node.loc?.endToken.kind === TokenKind.BRACE_R ? commentsBefore(node.loc.endToken) : null;

const VALUE_KINDS: { readonly [kind: string]: number } = {
  [Kind.VARIABLE]: 0,
  [Kind.INT]: 1,
  [Kind.FLOAT]: 2,
  [Kind.STRING]: 3,
  [Kind.BOOLEAN]: 5,
  [Kind.NULL]: 6,
  [Kind.ENUM]: 7,
  [Kind.LIST]: 8,
  [Kind.OBJECT]: 9,
};
const BLOCK = 4;

const rawOf = (v: ValueNode): string => {
  switch (v.kind) {
    case Kind.VARIABLE:
      return v.name.value;
    case Kind.NULL:
      return 'null';
    case Kind.LIST:
    case Kind.OBJECT:
      return '';
    default:
      return String(v.value);
  }
};

const child = (name: string, value: ValueNode, node?: Located): RegoValue =>
  tree({ Name: name, Value: valueTree(value), Comment: node === undefined ? null : comment(node) });

const valueTree = (v: ValueNode): RegoValue =>
  tree({
    Raw: rawOf(v),
    Kind: v.kind === Kind.STRING && v.block === true ? BLOCK : (VALUE_KINDS[v.kind] ?? 0),
    ExpectedTypeHasDefault: false,
    Comment: v.kind === Kind.LIST || v.kind === Kind.OBJECT ? comment(v) : null,
    Children:
      v.kind === Kind.LIST
        ? v.values.map((item) => child('', item))
        : v.kind === Kind.OBJECT
          ? v.fields.map((f) => child(f.name.value, f.value, f))
          : undefined,
  });

const typeTree = (t: TypeNode, nonNull = false): RegoValue => {
  if (t.kind === Kind.NON_NULL_TYPE) return typeTree(t.type, true);
  if (t.kind === Kind.LIST_TYPE) return tree({ NamedType: '', Elem: typeTree(t.type), NonNull: nonNull });
  return tree({ NamedType: t.name.value, NonNull: nonNull });
};

type Directives = readonly (DirectiveNode | ConstDirectiveNode)[] | undefined;

const directiveTrees = (directives: Directives): RegoValue =>
  (directives ?? []).map((d) =>
    tree({
      Name: d.name.value,
      Arguments: (d.arguments ?? []).map((a) => child(a.name.value, a.value, a)),
      Location: '',
    }),
  );

const variableTree = (v: VariableDefinitionNode): RegoValue =>
  tree({
    Comment: comment(v),
    Variable: v.variable.name.value,
    Type: typeTree(v.type),
    DefaultValue: v.defaultValue === undefined ? undefined : valueTree(v.defaultValue),
    Directives: directiveTrees(v.directives),
    Used: false,
  });

const selectionTree = (s: SelectionNode): RegoValue => {
  switch (s.kind) {
    case Kind.FIELD:
      return tree({
        Comment: comment(s),
        Alias: s.alias?.value ?? s.name.value,
        Name: s.name.value,
        Arguments: (s.arguments ?? []).map((a) => child(a.name.value, a.value, a)),
        Directives: directiveTrees(s.directives),
        SelectionSet: selectionTrees(s.selectionSet?.selections),
      });
    case Kind.FRAGMENT_SPREAD:
      return tree({ Comment: comment(s), Name: s.name.value, Directives: directiveTrees(s.directives) });
    case Kind.INLINE_FRAGMENT:
      return tree({
        Comment: comment(s),
        TypeCondition: s.typeCondition?.name.value ?? '',
        Directives: directiveTrees(s.directives),
        SelectionSet: selectionTrees(s.selectionSet.selections),
      });
  }
};

const selectionTrees = (selections: readonly SelectionNode[] | undefined): RegoValue =>
  (selections ?? []).map(selectionTree);

export const queryTree = (document: DocumentNode): RegoValue => {
  const operations: RegoValue[] = [];
  const fragments: RegoValue[] = [];
  for (const d of document.definitions) {
    if (d.kind === Kind.OPERATION_DEFINITION) {
      operations.push(
        tree({
          Comment: d.loc?.startToken.kind === TokenKind.BRACE_L ? null : comment(d),
          Operation: d.operation,
          Name: d.name?.value ?? '',
          VariableDefinitions: (d.variableDefinitions ?? []).map(variableTree),
          Directives: directiveTrees(d.directives),
          SelectionSet: selectionTrees(d.selectionSet.selections),
        }),
      );
    } else if (d.kind === Kind.FRAGMENT_DEFINITION) {
      fragments.push(
        tree({
          Comment: comment(d),
          Name: d.name.value,
          VariableDefinition: (d.variableDefinitions ?? []).map(variableTree),
          TypeCondition: d.typeCondition.name.value,
          Directives: directiveTrees(d.directives),
          SelectionSet: selectionTrees(d.selectionSet.selections),
        }),
      );
    }
  }
  return tree({ Operations: operations, Fragments: fragments });
};

const describe = (description: StringValueNode | undefined): string => description?.value ?? '';

const inputTree = (v: InputValueDefinitionNode): RegoValue =>
  tree({
    ...comments(v),
    Description: describe(v.description),
    Name: v.name.value,
    DefaultValue: v.defaultValue === undefined ? undefined : valueTree(v.defaultValue),
    Type: typeTree(v.type),
    Directives: directiveTrees(v.directives),
  });

const fieldTree = (f: FieldDefinitionNode | InputValueDefinitionNode): RegoValue =>
  f.kind === Kind.INPUT_VALUE_DEFINITION
    ? inputTree(f)
    : tree({
        ...comments(f),
        Description: describe(f.description),
        Name: f.name.value,
        Arguments: (f.arguments ?? []).map(inputTree),
        Type: typeTree(f.type),
        Directives: directiveTrees(f.directives),
      });

const TYPE_KINDS: { readonly [kind: string]: string } = {
  Scalar: 'SCALAR',
  Object: 'OBJECT',
  Interface: 'INTERFACE',
  Union: 'UNION',
  Enum: 'ENUM',
  InputObject: 'INPUT_OBJECT',
};

export const isExtension = (d: DefinitionNode): boolean => d.kind.endsWith('Extension');

const definitionTree = (d: DefinitionNode): RegoValue => {
  if (!('name' in d) || d.name === undefined) return null;
  return tree({
    ...comments(d),
    EndOfDefinitionComment: closing(d),
    Kind: TYPE_KINDS[d.kind.replace(/Type(?:Definition|Extension)$/, '')] ?? '',
    Description: 'description' in d ? describe(d.description) : '',
    Name: d.name.value,
    Directives: 'directives' in d ? directiveTrees(d.directives) : undefined,
    Interfaces: 'interfaces' in d ? (d.interfaces ?? []).map((i) => i.name.value) : undefined,
    Fields: 'fields' in d ? (d.fields ?? []).map(fieldTree) : undefined,
    Types: 'types' in d ? (d.types ?? []).map((t) => t.name.value) : undefined,
    EnumValues:
      'values' in d
        ? (d.values ?? []).map((v) =>
            tree({
              ...comments(v),
              Description: describe(v.description),
              Name: v.name.value,
              Directives: directiveTrees(v.directives),
            }),
          )
        : undefined,
    BuiltIn: false,
  });
};

/** the tree of a document that consists of comments only, which graphql-js does not attach to a node */
export const commentTree = (source: string): RegoValue => {
  const list = [...source.matchAll(/#[^\n\r]*/g)].map(([line]) => fieldsOf({ Value: line }));
  return tree({ Comment: tree({ List: list }) });
};

export const schemaTree = (document: DocumentNode): RegoValue => {
  const lists: { [member: string]: RegoValue[] } = {
    Schema: [],
    SchemaExtension: [],
    Directives: [],
    Definitions: [],
    Extensions: [],
  };
  for (const d of document.definitions) {
    if (d.kind === Kind.SCHEMA_DEFINITION || d.kind === Kind.SCHEMA_EXTENSION) {
      lists[d.kind === Kind.SCHEMA_DEFINITION ? 'Schema' : 'SchemaExtension']?.push(
        tree({
          ...comments(d),
          EndOfDefinitionComment: closing(d),
          Description: 'description' in d ? describe(d.description) : '',
          Directives: directiveTrees(d.directives),
          OperationTypes: (d.operationTypes ?? []).map((o) =>
            tree({ Comment: comment(o), Operation: o.operation, Type: o.type.name.value }),
          ),
        }),
      );
    } else if (d.kind === Kind.DIRECTIVE_DEFINITION) {
      lists['Directives']?.push(
        tree({
          ...comments(d),
          Description: describe(d.description),
          Name: d.name.value,
          Arguments: (d.arguments ?? []).map(inputTree),
          Locations: d.locations.map((l) => l.value),
          IsRepeatable: d.repeatable,
        }),
      );
    } else lists[isExtension(d) ? 'Extensions' : 'Definitions']?.push(definitionTree(d));
  }
  const end = document.loc?.endToken;
  return tree({ ...lists, Comment: document.definitions.length === 0 ? null : commentsBefore(end) });
};
