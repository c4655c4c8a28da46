/** The real PostgreSQL, a schema for each test file. */
import pg from 'pg';

export const POSTGRES = process.env['SLUICE_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test';

/** Tests that need PostgreSQL fail where it does not answer: what they promise is not shown by anything else. */
export async function freshSchema(name: string): Promise<{ schema: string; drop(): Promise<void> }> {
  const schema = `sluice_${name}_${process.pid}`;
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client(POSTGRES);
    await client.connect();
    await client.query(sql);
    await client.end();
  };
  await run(`DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}`);
  return { schema, drop: () => run(`DROP SCHEMA ${schema} CASCADE`) };
}
