/** Commits a change and is killed before its hint is sent. Arguments: schema, data subject. */
import '../../src/json-parse.ts';
import { isAnnounced } from '../../src/compose/store.ts';
import { hinting } from '../../src/store/hints.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { POSTGRES } from './postgres.ts';

const [schema = '', who = ''] = process.argv.slice(2);
const database = hinting(openPostgres(POSTGRES, { schema }), isAnnounced, {
  send: () => void process.kill(process.pid, 'SIGKILL'),
  listen: () => undefined,
  isUp: () => false,
  why: () => 'never',
  close: async () => undefined,
});
await database.transaction((queries) =>
  queries.query('INSERT INTO consent_subjects VALUES ($1, $2)', [who, '{}']),
);
// Reached only if no hint was sent.
await database.close();
