/**
 * Section `decision_log`: where decisions are recorded, and which values of a request are masked.
 * One list of members, so that the reference has them in one place; hence the length.
 */
import { isReservedInstance } from './instance.ts';
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
  table,
  Type,
  url,
} from '../documents/kinds.ts';
import { PERIOD, startOf } from '../model/moment.ts';
import type { Report } from '../documents/faults.ts';
import { RECORD_NAMES } from './index/query.ts';
import { sinksSchema } from './sinks/section.ts';

export { checkSinks } from './sinks/section.ts';

const pointers = (value: readonly string[]) => defaulted(Type.Array(pointer()), [...value]);

const kept = () =>
  optional(
    duration({
      min: '1d',
      description:
        'decisions are deleted from the index, by whole days (UTC), after this time; absent: never',
    }),
  );

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
  segment_age: defaulted(
    duration({
      min: '1m',
      max: '366d',
      description:
        'a new segment starts when the first record of the current one is this old, also if no record comes: `sluice decisions remove` does not search the current one',
    }),
    '24h',
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
      description:
        'first part of the names of this instance’s chains, not `audit` or `removals`; default: the host name',
    }),
  ),
  key: optional(
    secret({
      description:
        'key that signs the heads of the chains, so that a chain that was rewritten as a whole is detected',
    }),
  ),
});

const witnessSchema = Type.Union(
  [
    section({
      url: url({ description: 'a witness (C2SP tlog-witness), as another sidecar with `witness` is' }),
      key: Type.String({
        pattern: '^[^+ ]+\\+[0-9a-f]{8}\\+[A-Za-z0-9+/=]+$',
        description: 'its key of cosignatures, NAME+ID+BASE64, as `sluice signing keys --witness` prints it',
      }),
      timeout: defaulted(duration({ min: '100ms', max: '60s' }), '5s'),
    }),
    section({
      dir: path({
        description:
          'a directory on another machine or of another account, which gets the newest checkpoint of each day',
      }),
    }),
  ],
  { description: 'who keeps checkpoints elsewhere: {url: URL, key: KEY} or {dir: PATH}' },
);

const checkpointsSchema = section(
  {
    name: defaulted(
      Type.String({
        pattern: '^[^+\\s/]+(/[^+\\s/]+)*$',
        description:
          'names of the logs begin with it, and the name of the chain follows. Take a domain of yours without scheme, such as example.com/sluice, so that no other log has the name',
      }),
      'sluice',
    ),
    every: defaulted(
      duration({
        min: '1s',
        max: '24h',
        description: 'how often a checkpoint is signed if there are records',
      }),
      '10s',
    ),
    witnesses: defaulted(Type.Array(witnessSchema, { maxItems: 16 }), []),
  },
  {
    description:
      'checkpoints, signed with `signing.key` over a Merkle tree of each chain, by which `sluice decisions prove` proves single records to others; absent: they are made by command',
  },
);

const witnessedSchema = section(
  {
    name: Type.String({
      pattern: '^[^+\\s]+$',
      description: 'name of this witness, such as example.org/witness',
    }),
    dir: defaulted(
      path({ description: 'what it has seen; keep it as long as it witnesses' }),
      './data/witness',
    ),
    logs: Type.Array(
      section({
        log: Type.String({
          pattern: '^[^+\\s]+$',
          description: 'name of a log; example.com/sluice/* for all chains of one sidecar',
        }),
        key: Type.String({
          pattern: '^[^+ ]+\\+[0-9a-f]{8}\\+[A-Za-z0-9+/=]+$',
          description: 'its key, NAME+ID+BASE64, as `sluice decisions checkpoint` prints it',
        }),
      }),
      { minItems: 1, maxItems: 1000 },
    ),
  },
  {
    description:
      'cosigns checkpoints of other sidecars with `signing.key`, at POST /witness/add-checkpoint of the admin listener',
  },
);

export type WitnessSettings = Static<typeof witnessedSchema>;
export type WitnessConfig = Static<typeof witnessSchema>;

const period = (description: string) => Type.String({ pattern: PERIOD, description });

const retentionSchema = section(
  {
    keep: period('how long the content of records is kept: `P5Y` (ISO 8601: years, months, weeks, days)'),
    kinds: defaulted(
      section(
        Object.fromEntries(
          RECORD_NAMES.kind.map((kind) => [
            kind,
            optional(period(`of records of the kind ${kind}, instead of \`keep\``)),
          ]),
        ),
      ),
      {},
    ),
    categories: defaulted(
      table(period('instead of `keep` and `kinds`'), {
        key: '^[^/]+(/[0-9]+)?$',
        description:
          'of records about fields of these categories (`health`) or classes (`health/4`); of several that a record is about, the longest period counts',
      }),
      {},
    ),
  },
  {
    description:
      'the content of older records is removed by `sluice decisions remove`, and their hashes stay; absent: content is kept for ever',
  },
);

const archiveSchema = section(
  {
    to: Type.String({
      minLength: 1,
      description: 's3://BUCKET/PREFIX, or a directory, relative to the configuration file',
    }),
    s3: optional(
      section({
        endpoint: optional(url({ description: 'of an S3-compatible store; absent: Amazon S3 in `region`' })),
        region: optional(Type.String({ minLength: 1, description: 'absent: AWS_REGION, else us-east-1' })),
        access_key_id: optional(secret({ description: 'absent: AWS_ACCESS_KEY_ID' })),
        secret_access_key: optional(secret({ description: 'absent: AWS_SECRET_ACCESS_KEY' })),
        insecure_http: defaulted(
          Type.Boolean({ description: 'true: an http endpoint is used, also if it is on another machine' }),
          false,
        ),
        lock: optional(
          section(
            {
              mode: Type.Unsafe<'governance' | 'compliance'>(Type.Enum(['governance', 'compliance'])),
              days: Type.Integer({ minimum: 1, maximum: 36_500 }),
            },
            {
              description:
                'Object Lock: until then nobody deletes an object, with `compliance` not even the owner of the bucket',
            },
          ),
        ),
      }),
    ),
  },
  { description: 'where `sluice decisions archive` moves full segments, without --to' },
);

const moment = (description: string) =>
  optional(
    Type.String({
      pattern: '^\\d{4}-\\d{2}-\\d{2}(T[\\d:.]+(Z|[+-]\\d{2}:\\d{2}))?$',
      description: `${description}: a date, or RFC 3339`,
    }),
  );

const holdSchema = section(
  {
    basis: Type.String({ minLength: 1, maxLength: 200, description: 'the law or the proceedings' }),
    data_subject: optional(
      Type.String({
        minLength: 1,
        description: 'records that name this data subject: its id, or its HMAC as records have it',
      }),
    ),
    subject: optional(Type.String({ minLength: 1, description: 'records of requests of this caller' })),
    decision: optional(Type.String({ minLength: 1, description: 'the records of this decision' })),
    since: moment('records from then on'),
    until: moment('records until then, inclusive'),
  },
  {
    description:
      'records whose content nobody may remove: those to which all that is given applies; a hold with nothing but a basis is about all records',
  },
);

export const decisionLogSchema = section({
  journal: defaulted(journalSchema, {}),
  index: defaulted(
    Type.Union(
      [
        Type.Literal('none'),
        section({ sqlite: path(), keep: kept() }),
        section({ postgres: database(), keep: kept() }),
      ],
      {
        description:
          'queryable copy: {sqlite: PATH} or {postgres: "env:DATABASE_URL"}; rebuilt from the journal if lost',
      },
    ),
    'none',
  ),
  sinks: defaulted(sinksSchema, []),
  checkpoints: optional(checkpointsSchema),
  witness: optional(witnessedSchema),
  retention: optional(retentionSchema),
  archive: optional(archiveSchema),
  encryption: optional(
    section(
      {
        recipients: Type.Array(
          Type.String({ pattern: '^age1[a-z0-9]+$', description: 'public key of an age identity' }),
          { minItems: 1, maxItems: 16 },
        ),
      },
      {
        description:
          'who can read archived segments, and the keys in a backup, which are encrypted for them (age); absent: archives are not encrypted, and backups have no keys',
      },
    ),
  ),
  holds: defaulted(Type.Array(holdSchema, { maxItems: 1000 }), []),
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

/** A date that does not exist would hold nothing, or everything. */
export function checkInstance({ instance }: DecisionLogConfig['journal'], report: Report): void {
  if (instance !== undefined && isReservedInstance(instance))
    report(
      ['decision_log', 'journal', 'instance'],
      'is reserved: chains that begin with "audit" or "removals" are those of Sluice’s own commands; choose another name',
    );
}

export function checkHolds(holds: DecisionLogConfig['holds'], report: Report): void {
  for (const [i, hold] of holds.entries())
    for (const name of ['since', 'until'] as const)
      if (hold[name] !== undefined && Number.isNaN(startOf(hold[name])))
        report(['decision_log', 'holds', i, name], 'is not a date of the calendar');
}
