/** Compiles a catalog's envelope and the pointer to the records to an automaton over the paths of the body. */
import { SluiceError } from '../../errors.ts';
import type { Catalog, EnvelopeRole, FieldEntry } from '../../model/catalog.ts';
import { Automaton } from './automaton.ts';
import type { Envelope, StateId } from '../formats/format.ts';

type Role = ReturnType<Envelope['role']>;

/** @param records pointer to the records; null: the whole body is one record */
export function compileEnvelope(catalog: Catalog, records: string | null): Envelope {
  const roles: [string, Role][] = [];
  if (records !== null) {
    for (const [pointer, { is }] of Object.entries(catalog.envelope)) roles.push([pointer, roleOf(is)]);
  }
  roles.push([records ?? '', 'record']);
  for (const [pointer] of roles) {
    if (pointer.includes('/['))
      throw new SluiceError('catalog_invalid', {
        message: `the path ${JSON.stringify(pointer)} has a selector, which is not possible around the records`,
        paths: [pointer],
      });
  }
  const fields: Record<string, FieldEntry> = Object.create(null);
  for (const [pointer, role] of roles) {
    // The route's pointer to the records replaces the catalog's. A role covers everything below, except `status`: it says nothing about the
    // members of an object.
    if (role !== null)
      fields[pointer] = { category: role, grade: role === 'record' ? 5 : 1, whole: role !== 'status' };
  }
  const automaton = new Automaton(
    { resource: catalog.resource, data_subject: [], attributes: {}, fields, envelope: {} },
    new Map(),
  );
  return {
    root: automaton.root,
    step: (state, name, ...aliases) => automaton.step(state, name, ...aliases),
    item: (state, index) => automaton.item(state, index),
    role: (state: StateId): Role => {
      const field = automaton.field(state);
      if (field < 0 || (automaton.through(state) && !automaton.whole(state))) return null;
      return automaton.all[field]!.entry!.category as Role;
    },
    inner: (state) => automaton.inner(state),
    any: (state) => automaton.any(state),
  };
}

const roleOf = (role: EnvelopeRole): Role => (role === 'records' ? null : role);

/** The pointer to the records by a catalog's envelope (`/items: { is: records }`), for a route that states none. */
export function recordsPointer(catalog: Catalog): string | null {
  const found = Object.entries(catalog.envelope).find(([, entry]) => entry.is === 'records');
  if (!found) return null;
  return found[0].endsWith('/*') ? found[0] : `${found[0]}/*`;
}
