/** Section `decision_log`: where decisions are recorded, and which values of a request are masked. */
import { DEFAULT_MASK } from './settings.ts';
import {
  database,
  defaulted,
  duration,
  optional,
  path,
  pointer,
  secret,
  section,
  size,
  type Static,
  Type,
} from '../documents/kinds.ts';

const pointers = (value: readonly string[]) => defaulted(Type.Array(pointer()), [...value]);

const journalSchema = section({
  dir: defaulted(
    path({ description: 'directory of the journal, on a local disk; created if it does not exist' }),
    './data/journal',
  ),
  durability: defaulted(
    Type.Unsafe<'strict' | 'interval'>(
      Type.Enum(['strict', 'interval'], {
        description:
          'strict: nothing is released before its record is flushed to disk. interval: nothing is released before its record is written; records are flushed every sync_interval, so that a power failure (not a crash) may lose the records of that time',
      }),
    ),
    'strict',
  ),
  sync_interval: defaulted(
    duration({ min: '10ms', max: '60s', description: 'only with durability: interval' }),
    '100ms',
  ),
  segment_size: defaulted(
    size({
      min: '64KiB',
      max: '1GiB',
      description: 'a new segment starts when the current one has reached this size',
    }),
    '64MiB',
  ),
  min_free: defaulted(
    size({
      min: '64KiB',
      description: 'requests are refused while the file system has less free space than this',
    }),
    '64MiB',
  ),
  max_record: defaulted(
    size({ min: '8KiB', max: '16MiB', description: 'a longer record is written as several records' }),
    '256KiB',
  ),
  instance: optional(
    Type.String({
      pattern: '^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$',
      description: 'first part of the names of this instance’s chains; default: the host name',
    }),
  ),
  key: optional(
    secret({
      description:
        'key that signs the heads of the chains, so that a chain that was rewritten as a whole is detected',
    }),
  ),
});

export const decisionLogSchema = section({
  journal: defaulted(journalSchema, {}),
  index: defaulted(
    Type.Union([Type.Literal('none'), section({ sqlite: path() }), section({ postgres: database() })], {
      description:
        'queryable copy: {sqlite: PATH} or {postgres: "env:DATABASE_URL"}; rebuilt from the journal if lost',
    }),
    'none',
  ),
  sinks: defaulted(
    Type.Array(Type.Union([section({ file: path() }), section({ stdout: Type.Literal(true) })]), {
      maxItems: 8,
      description:
        'destinations that receive a copy of each record at least once: {file: PATH} or {stdout: true}',
    }),
    [],
  ),
  data_subject_key: optional(
    secret({
      description:
        'key of the HMACs of data-subject ids; by default a key is generated and stored beside the journal',
    }),
  ),
  mask: defaulted(
    section(
      {
        pseudonymize: pointers(DEFAULT_MASK.pseudonymize),
        mask: pointers(DEFAULT_MASK.mask),
        keep: pointers(DEFAULT_MASK.keep),
      },
      { description: 'members of a record that are hidden: pointers into the record, `*` for any key' },
    ),
    {},
  ),
});

export type DecisionLogConfig = Static<typeof decisionLogSchema>;
