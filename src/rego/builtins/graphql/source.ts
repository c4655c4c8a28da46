/** Writes OPA's trees of GraphQL documents as source text, so that a tree given as an argument can be parsed like text. */
import type { RegoObject, RegoValue } from '../../values.ts';
import { array, fail, object, string } from '../operands.ts';

const member = (o: RegoObject, name: string): RegoValue => o.get(name) ?? null;

const text = (o: RegoObject, name: string): string => {
  const v = member(o, name);
  return v === null ? '' : string(v);
};

const NAME = /^[_A-Za-z]\w*$/;

/** a member that must be a GraphQL name */
const name = (o: RegoObject, field: string): string => {
  const v = text(o, field);
  return v === '' || NAME.test(v) ? v : fail('not a name');
};

const list = (o: RegoObject, field: string): readonly RegoObject[] => {
  const v = member(o, field);
  return v === null ? [] : array(v).map(object);
};

const names = (o: RegoObject, field: string): readonly string[] => {
  const v = member(o, field);
  return v === null ? [] : array(v).map((n) => (NAME.test(string(n)) ? string(n) : fail('not a name')));
};

const value = (o: RegoObject): string => {
  const raw = text(o, 'Raw');
  switch (Number(member(o, 'Kind'))) {
    case 0:
      return `$${raw}`;
    case 3:
    case 4:
      return JSON.stringify(raw);
    case 8:
      return `[${list(o, 'Children')
        .map((c) => value(object(member(c, 'Value'))))
        .join(', ')}]`;
    case 9:
      return `{${argumentList(list(o, 'Children'))}}`;
    default:
      return /^[-+\w.]+$/.test(raw) ? raw : fail('not a value');
  }
};

const argumentList = (children: readonly RegoObject[]): string =>
  children.map((c) => `${name(c, 'Name')}: ${value(object(member(c, 'Value')))}`).join(', ');

const inParentheses = (content: string): string => (content === '' ? '' : `(${content})`);

const type = (o: RegoObject): string => {
  const elem = member(o, 'Elem');
  const inner = elem === null ? name(o, 'NamedType') : `[${type(object(elem))}]`;
  return member(o, 'NonNull') === true ? `${inner}!` : inner;
};

const directives = (o: RegoObject): string =>
  list(o, 'Directives')
    .map((d) => ` @${name(d, 'Name')}${inParentheses(argumentList(list(d, 'Arguments')))}`)
    .join('');

const fallback = (o: RegoObject): string => {
  const v = member(o, 'DefaultValue');
  return v === null ? '' : ` = ${value(object(v))}`;
};

const selections = (o: RegoObject): string => {
  const all = list(o, 'SelectionSet').map((s) => {
    // OPA reads every selection of a tree as a field, so a fragment fails there, too.
    if (!s.has('Alias')) return fail('a fragment in a tree');
    return `${name(s, 'Alias')}: ${name(s, 'Name')}${inParentheses(argumentList(list(s, 'Arguments')))}${directives(s)}${selections(s)}`;
  });
  return all.length === 0 ? '' : ` { ${all.join(' ')} }`;
};

const variables = (o: RegoObject, key = 'VariableDefinitions'): string =>
  inParentheses(
    list(o, key)
      .map((v) => `$${name(v, 'Variable')}: ${type(object(member(v, 'Type')))}${fallback(v)}${directives(v)}`)
      .join(', '),
  );

export const querySource = (o: RegoObject): string =>
  [
    ...list(o, 'Operations').map(
      (q) => `${name(q, 'Operation')} ${name(q, 'Name')}${variables(q)}${directives(q)}${selections(q)}`,
    ),
    ...list(o, 'Fragments').map(
      (f) =>
        `fragment ${name(f, 'Name')}${variables(f, 'VariableDefinition')} on ${name(f, 'TypeCondition')}${directives(f)}${selections(f)}`,
    ),
  ].join('\n');

const description = (o: RegoObject): string => {
  const v = text(o, 'Description');
  return v === '' ? '' : `${JSON.stringify(v)} `;
};

const inputs = (fields: readonly RegoObject[]): string =>
  fields
    .map(
      (f) =>
        `${description(f)}${name(f, 'Name')}: ${type(object(member(f, 'Type')))}${fallback(f)}${directives(f)}`,
    )
    .join(' ');

const inBraces = (content: string): string => (content === '' ? '' : ` { ${content} }`);

const fields = (o: RegoObject): string =>
  list(o, 'Fields')
    .map(
      (f) =>
        `${description(f)}${name(f, 'Name')}${inParentheses(inputs(list(f, 'Arguments')))}: ${type(object(member(f, 'Type')))}${fallback(f)}${directives(f)}`,
    )
    .join(' ');

const KEYWORDS: { readonly [kind: string]: string } = {
  SCALAR: 'scalar',
  OBJECT: 'type',
  INTERFACE: 'interface',
  UNION: 'union',
  ENUM: 'enum',
  INPUT_OBJECT: 'input',
};

const definition = (o: RegoObject, extend: boolean): string => {
  const keyword = KEYWORDS[text(o, 'Kind')] ?? fail('an unknown kind of type');
  const interfaces = names(o, 'Interfaces').join(' & ');
  const types = names(o, 'Types').join(' | ');
  const values = list(o, 'EnumValues')
    .map((v) => `${description(v)}${name(v, 'Name')}${directives(v)}`)
    .join(' ');
  return [
    extend ? 'extend ' : description(o),
    `${keyword} ${name(o, 'Name')}`,
    interfaces === '' ? '' : ` implements ${interfaces}`,
    directives(o),
    types === '' ? '' : ` = ${types}`,
    inBraces(values),
    inBraces(fields(o)),
  ].join('');
};

const schema = (o: RegoObject, extend: boolean): string => {
  const operations = list(o, 'OperationTypes').map((t) => `${name(t, 'Operation')}: ${name(t, 'Type')}`);
  return `${extend ? 'extend ' : description(o)}schema${directives(o)}${inBraces(operations.join(' '))}`;
};

export const schemaSource = (o: RegoObject): string =>
  [
    ...list(o, 'Schema').map((s) => schema(s, false)),
    ...list(o, 'SchemaExtension').map((s) => schema(s, true)),
    ...list(o, 'Directives').map(
      (d) =>
        `${description(d)}directive @${name(d, 'Name')}${inParentheses(inputs(list(d, 'Arguments')))}${member(d, 'IsRepeatable') === true ? ' repeatable' : ''} on ${names(d, 'Locations').join(' | ')}`,
    ),
    ...list(o, 'Definitions').map((d) => definition(d, false)),
    ...list(o, 'Extensions').map((d) => definition(d, true)),
  ].join('\n');
