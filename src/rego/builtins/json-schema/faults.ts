/** Errors of documents and of schemas, with the messages of gojsonschema, which OPA uses. */

/** an error in the schema itself */
export class SchemaFault extends Error {}

export function fault(message: string): never {
  throw new SchemaFault(message);
}

export function invalidType(expected: string, given: string): never {
  return fault(`Invalid type. Expected: ${expected}, given: ${given}`);
}

type Details = { readonly [name: string]: string | number };

const MESSAGES = {
  false: () => 'False always fails validation',
  required: (d: Details) => `${d['property']} is required`,
  invalid_type: (d: Details) => `Invalid type. Expected: ${d['expected']}, given: ${d['given']}`,
  number_any_of: () => 'Must validate at least one schema (anyOf)',
  number_one_of: () => 'Must validate one and only one schema (oneOf)',
  number_all_of: () => 'Must validate all the schemas (allOf)',
  number_not: () => 'Must not validate the schema (not)',
  missing_dependency: (d: Details) => `Has a dependency on ${d['dependency']}`,
  const: (d: Details) => `${d['field']} does not match: ${d['allowed']}`,
  enum: (d: Details) => `${d['field']} must be one of the following: ${d['allowed']}`,
  array_no_additional_items: () => 'No additional items allowed on array',
  array_min_items: (d: Details) => `Array must have at least ${d['min']} items`,
  array_max_items: (d: Details) => `Array must have at most ${d['max']} items`,
  unique: (d: Details) => `array items[${d['i']},${d['j']}] must be unique`,
  contains: () => 'At least one of the items must match',
  array_min_properties: (d: Details) => `Must have at least ${d['min']} properties`,
  array_max_properties: (d: Details) => `Must have at most ${d['max']} properties`,
  additional_property_not_allowed: (d: Details) => `Additional property ${d['property']} is not allowed`,
  invalid_property_name: (d: Details) => `Property name of "${d['property']}" does not match`,
  string_gte: (d: Details) => `String length must be greater than or equal to ${d['min']}`,
  string_lte: (d: Details) => `String length must be less than or equal to ${d['max']}`,
  pattern: (d: Details) => `Does not match pattern '${d['pattern']}'`,
  format: (d: Details) => `Does not match format '${d['format']}'`,
  multiple_of: (d: Details) => `Must be a multiple of ${d['multiple']}`,
  number_gte: (d: Details) => `Must be greater than or equal to ${d['min']}`,
  number_gt: (d: Details) => `Must be greater than ${d['min']}`,
  number_lte: (d: Details) => `Must be less than or equal to ${d['max']}`,
  number_lt: (d: Details) => `Must be less than ${d['max']}`,
  condition_then: () => 'Must validate "then" as "if" was valid',
  condition_else: () => 'Must validate "else" as "if" was not valid',
} as const;

export type MismatchType = keyof typeof MESSAGES;

export interface Mismatch {
  readonly type: MismatchType;
  readonly field: string;
  readonly desc: string;
  readonly error: string;
}

export const mismatch = (type: MismatchType, path: readonly string[], details: Details): Mismatch => {
  const field = path.length === 0 ? '(Root)' : path.join('.');
  const desc = MESSAGES[type]({ field, ...details });
  return { type, field, desc, error: `${field}: ${desc}` };
};
