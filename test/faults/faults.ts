/** Faults that tests bring about, and where: what `npm run faults` runs, and `--list` names. */
export interface Fault {
  readonly what: string;
  readonly file: string;
  /** of the test, or the beginning of it */
  readonly test: string;
}

const of = (what: string, file: string, test: string): Fault => ({
  what,
  file: `test/${file}.test.ts`,
  test,
});

export const FAULTS: readonly Fault[] = [
  // the decision log
  of(
    'kill -9 at random moments under load: each answer that a caller has seen is on record',
    'faults/release-order',
    'after kill -9 at any moment, whatever a caller has seen is on record',
  ),
  of(
    'kill -9 while records are written: each that was acknowledged is there',
    'faults/journal-kill',
    'every acknowledged record is there after kill -9',
  ),
  of(
    'the disk fills up under a sidecar',
    'faults/disk-full-served',
    'nothing is left, and two workers write',
  ),
  of(
    'the disk fills up under the journal',
    'faults/journal-full',
    'a write that does not fit is refused, cut away',
  ),
  of('a disk becomes read-only', 'faults/journal-full', 'a disk that becomes read-only refuses'),
  of(
    'any byte, line or file of the journal is torn, flipped, swapped or removed',
    'decision-log/verify',
    'reports every random change to any byte, line or file of a journal',
  ),
  of('half a line at the end', 'decision-log/journal', 'a torn tail'),
  of('a chain is removed', 'decision-log/journal', 'verify detects a removed chain'),
  of(
    'two processes on one journal',
    'decision-log/journal',
    'has its own chain if another journal is open in the same directory',
  ),
  of(
    'the clock is put back by days',
    'faults/clock-of-log',
    'what was decided from hour %i on, by the clock of its moment',
  ),
  of('SIGSTOP of a worker', 'cli/workers', 'a worker that is stuck gets no connection'),
  of('kill -9 of a worker', 'cli/workers', 'kill -9 of one: the others serve'),
  of('kill -9 while content is removed', 'faults/removal-kill', 'kill -9 during a removal'),
  of('kill -9 while segments are archived', 'faults/archive-kill', 'kill -9 while segments are archived'),
  of('the index is deleted', 'decision-log/index-life', 'an SQLite index whose file was deleted'),
  of(
    'the index is emptied, and built again',
    'decision-log/index',
    'is rebuilt from the journal after it was deleted',
  ),
  of('the PostgreSQL of the index is away', 'decision-log/index-life', 'may be away for a while'),
  of('two feeders of one index', 'decision-log/index-life', 'has each record once, although two feeders'),
  of(
    'a sink refuses for a while, or does not answer',
    'decision-log/sinks/http',
    'keeps all others current while one refuses',
  ),
  of(
    'the server of a sink is killed',
    'decision-log/sinks/nats',
    'loses nothing and keeps the order while the server is killed',
  ),
  of(
    'a bit of an archive is flipped, or its end is missing',
    'decision-log/encrypted-archive',
    'a byte that was altered anywhere, and a cut anywhere',
  ),
  // changes, and the stores
  of(
    'kill -9 under a load of changes',
    'faults/changes-kill',
    'a sidecar that is killed under a load of changes',
  ),
  of(
    'kill -9 between the record of a change and its commit',
    'faults/changes-kill',
    'a command that is killed between the record of its change and the commit',
  ),
  of('the connection to the store is cut at each message', 'faults/cut', 'a request for erasure'),
  of(
    'a sidecar loses PostgreSQL or Redis, and another does not',
    'faults/split',
    'a sidecar that is cut off from Redis',
  ),
  of(
    'the store is a standby, or fails over',
    'faults/standby',
    'a failover: refused until the standby is promoted',
  ),
  of('two versions on one schema', 'faults/versions', 'a newer version that did more'),
  of(
    'kill -9 in a migration, and in an import',
    'faults/versions',
    'migrations that are killed at any moment are finished by the next one',
  ),
  of(
    'kill -9 while a notice is delivered',
    'faults/workers-changes',
    'a worker that is killed while it delivers: the notice is due again',
  ),
  // requests
  of(
    'bad input, and an upstream that breaks',
    'faults/bad-input',
    'is cut off in the middle of a chunked body',
  ),
];
