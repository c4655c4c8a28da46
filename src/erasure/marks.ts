/** Marks of data subjects, for the source of consents: those in a page are one round trip. */
import { SluiceError } from '../errors.ts';
import type { Mark, MarkSource } from '../model/consent.ts';
import type { Database } from '../model/database.ts';

/** The database belongs to the caller, who closes it. */
export const markSource = (database: Database): MarkSource => ({
  async marks(ids) {
    const rows = await database.query<{ data_subject: string; marks: string }>(
      `SELECT data_subject, marks FROM erasure_marks WHERE data_subject = ANY($1) AND marks <> '[]'`,
      [ids],
    );
    return new Map(rows.map(({ data_subject, marks }) => [data_subject, parsed(marks)]));
  },
});

/** @throws SluiceError `store_changed`: whoever has changed the table by hand may have removed a mark */
function parsed(text: string): readonly Mark[] {
  let marks: unknown;
  try {
    marks = JSON.parse(text);
  } catch {
    marks = null;
  }
  if (Array.isArray(marks) && marks.every(isMark)) return marks;
  throw new SluiceError(
    'store_changed',
    'A row of erasure_marks cannot be read: change any request of its data subject, and it is written anew.',
  );
}

const isMark = (value: unknown): value is Mark => {
  const { flag, until } = (value ?? {}) as Partial<Mark>;
  return typeof flag === 'string' && (until === null || typeof until === 'number');
};
