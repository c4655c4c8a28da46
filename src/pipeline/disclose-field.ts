/** Disclosure of a single value that stands in no record, such as what a token was made of. */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Catalog, FieldEntry } from '../model/catalog.ts';
import type { Authorized } from './authorize.ts';
import type { DecisionEntry } from './record.ts';
import { unproven } from './refusal.ts';
import type { Stages } from './stages.ts';

export interface ValueAsked {
  /** pointer of the field, as the catalog names it */
  readonly field: string;
  /** told where the policy withholds the field */
  readonly withheldMessage: string;
}

/**
 * Whether this caller would be shown the field as it is, in a record of a data subject about whom nothing is known. The action's properties
 * must name the field in `query_fields`.
 * @returns the field's line in the catalog
 * @throws SluiceError `group_size_unmet`, `catalog_unknown`, `policy_denied`, `consent_unavailable`
 */
export async function discloseField(
  { target: { resource }, snapshot, decision, retention, provenSubject, input }: Authorized,
  { field, withheldMessage }: ValueAsked,
  entry: DecisionEntry,
  stages: Stages,
): Promise<FieldEntry> {
  // A value by itself names nobody, so no proof can be about its data subject.
  if (provenSubject !== null) throw unproven(entry);
  const { max_records, min_group_size } = decision.obligations;
  if ((max_records ?? 1) < 1 || (min_group_size ?? 1) > 1)
    throw new SluiceError(
      'group_size_unmet',
      'The policy discloses groups here, or nothing at all; a single value is neither.',
    );
  const line = fieldOf(snapshot.catalogs.get(resource.type), resource.type, field);
  if (
    retention.some((rule) => rule.category === line.category && rule.condition.resource === resource.type)
  ) {
    // How old the record is that the value comes from is not known.
    entry.reasons = [{ code: 'retention_undetermined' }, ...entry.reasons];
    throw new SluiceError('policy_denied', withheldMessage);
  }
  try {
    await stages.guard.query(snapshot, input, null);
  } catch (error) {
    if (!isSluiceError(error, 'query_field_withheld')) throw error;
    entry.reasons = [
      { code: 'field_withheld', message: 'The caller may not see this field undisguised.' },
      ...entry.reasons,
    ];
    throw new SluiceError('policy_denied', {
      message: withheldMessage,
      paths: input.action.properties.query_fields,
    });
  }
  return line;
}

function fieldOf(catalog: Catalog | undefined, resource: string, field: string): FieldEntry {
  const line = catalog && Object.hasOwn(catalog.fields, field) ? catalog.fields[field] : undefined;
  if (line === undefined)
    throw new SluiceError(
      'catalog_unknown',
      'The catalog of this resource has no such field. Name it as the catalog does, e.g. /contacts/*/phone.',
    );
  if ('resource' in line)
    throw new SluiceError(
      'catalog_unknown',
      `This field holds another resource: ask for "${line.resource}" and its field instead of "${resource}".`,
    );
  return line;
}
