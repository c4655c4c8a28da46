export type Entity =
  | 'national_id'
  | 'passport'
  | 'phone'
  | 'landline'
  | 'bank_card'
  | 'email'
  | 'plate'
  | 'person_name';

export const ENTITIES: readonly Entity[] = [
  'email',
  'national_id',
  'passport',
  'bank_card',
  'phone',
  'landline',
  'plate',
  'person_name',
];

/** A range of UTF-16 code units, without `end`. */
export interface Span {
  readonly entity: Entity;
  readonly start: number;
  readonly end: number;
}
