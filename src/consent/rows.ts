/** Writes many rows. */
import type { Parameter, Queries } from '../model/database.ts';

/** Parameters of one statement; PostgreSQL takes 65,535, SQLite 32,766. */
const MOST_PARAMETERS = 30_000;

export async function insert(
  queries: Queries,
  into: string,
  rows: readonly (readonly Parameter[])[],
  then = '',
): Promise<void> {
  const width = rows[0]?.length ?? 1;
  const most = Math.floor(MOST_PARAMETERS / width);
  for (let from = 0; from < rows.length; from += most) {
    const some = rows.slice(from, from + most);
    const places = some.map(
      (_, i) => `(${Array.from({ length: width }, (_, n) => `$${i * width + n + 1}`).join(', ')})`,
    );
    await queries.query(`INSERT INTO ${into} VALUES ${places.join(', ')} ${then}`, some.flat());
  }
}
