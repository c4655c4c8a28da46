/** What data subjects have agreed to. */
import { Type } from '../../../documents/kinds.ts';
import { didYouMean } from '../../../documents/near-name.ts';
import { SluiceError } from '../../../errors.ts';
import type { KnownNames, NameKind } from '../../../model/policy.ts';
import { about, type AdminServices, configured, type Operation, operation } from './operation.ts';
import { page } from './paging.ts';
import {
  cursor,
  enumOf,
  limit,
  moment,
  names,
  nextCursor,
  nullable,
  object,
  optional,
  text,
} from './schemas.ts';

const STATUS = ['given', 'withdrawn'] as const;
const evidence = {
  notice: optional(text('version or address of the notice that was shown')),
  evidence: optional(text('where the proof is kept')),
  method: optional(text('how it was said: web form, phone, paper')),
};
const alias = object({ type: text('type of the identifier', 256), alias: text('the identifier', 256) });
const purpose = text('a purpose of the policy; `*` only to refuse', 256);
const recipient = text('`internal`, or a partner; `*` only to refuse', 256);

const stored = Type.Object(
  {
    purpose: Type.String(),
    categories: Type.Array(Type.String()),
    recipient: Type.String(),
    status: enumOf(STATUS),
  },
  { description: 'as in schemas/consents.schema.json' },
);
const entry = object({
  data_subject: Type.String(),
  flags: Type.Array(Type.String()),
  consents: Type.Array(stored),
  aliases: Type.Array(alias),
});
const event = Type.Object(
  {
    data_subject: Type.String(),
    version: Type.Integer({ description: '1, 2, 3 … for each data subject' }),
    at: Type.String({ format: 'date-time' }),
    actor: Type.String(),
    what: enumOf(['given', 'withdrawn', 'flags', 'aliases']),
    consent: nullable(Type.Object({}, { description: 'consent record, ISO/IEC TS 27560' })),
    entry: nullable(Type.Object({})),
  },
  { description: 'a change' },
);
const events = object({ events: Type.Array(event, { description: 'empty: it was known already' }) });
const parameters = { data_subject: 'id of the customer, as the paths of its records have it' };

const consents = ({ consents: service }: AdminServices) => configured(service, 'consent.store: true');
const unknown = (): SluiceError =>
  new SluiceError('consent_not_found', 'The store of consents knows nobody by this id.');

/** A name that the policy does not know would withhold every record of this person. @throws SluiceError `consent_invalid` */
function checkNames(names: KnownNames, stated: readonly (readonly [NameKind, readonly string[]])[]): void {
  for (const [kind, all] of stated)
    for (const name of all)
      if (!names.knows(kind, name))
        throw new SluiceError(
          'consent_invalid',
          `The policy has no ${kind} "${name}"${didYouMean(name, names.known(kind)) || '.'}`,
        );
}

export const CONSENTS: readonly Operation[] = [
  operation({
    name: 'consents.get',
    method: 'GET',
    path: '/v1/consents/{data_subject}',
    summary: 'What somebody has agreed to and refused',
    parameters,
    id: 'data_subject',
    answer: entry,
    codes: ['consent_not_found', 'consent_invalid'],
    async run({ path, services }) {
      const id = path['data_subject']!;
      const found = await consents(services).entry(id);
      if (found === undefined) throw unknown();
      if (found === null)
        throw new SluiceError(
          'consent_invalid',
          'The entry of this data subject cannot be read (consent_subjects): all records of this person are withheld. Correct it.',
        );
      const { consents: list = [], flags = [] } = found;
      const aliases = await consents(services).aliases(id);
      return {
        body: { data_subject: id, flags, consents: list, aliases },
        disclosure: about([id], services),
      };
    },
  }),
  operation({
    name: 'consents.set',
    method: 'POST',
    path: '/v1/consents/{data_subject}/statements',
    summary: 'Record what somebody says now; also flags and aliases',
    parameters,
    id: 'data_subject',
    body: object({
      consent: optional(
        object({
          purpose,
          categories: names('categories of the catalog, or `*`'),
          recipient: optional(recipient),
          status: optional(enumOf(STATUS, 'default: given')),
          explicit: optional(
            Type.Boolean({ description: 'asked for and agreed to, not merely not refused' }),
          ),
          from: optional(moment('pending before')),
          until: optional(moment('expired after')),
        }),
      ),
      add_flags: optional(names('flags to add')),
      remove_flags: optional(names('flags to remove')),
      aliases: optional(Type.Array(alias, { maxItems: 64, description: 'other identifiers of this person' })),
      ...evidence,
    }),
    answer: events,
    codes: ['consent_invalid'],
    async run({ path, body, services, snapshot, recorder }) {
      const { consent, add_flags = [], remove_flags = [], aliases = [], notice, evidence, method } = body;
      if (consent === undefined && add_flags.length + remove_flags.length + aliases.length === 0)
        throw new SluiceError(
          'input_invalid',
          'Say what to record: consent, add_flags, remove_flags or aliases.',
        );
      const records = consents(services);
      checkNames(snapshot.names, [
        ...(consent === undefined
          ? []
          : ([
              ['purpose', [consent.purpose]],
              ['category', consent.categories],
              ['recipient', [consent.recipient ?? 'internal']],
            ] as const)),
        ['flag', add_flags],
      ]);
      const said = {
        ...(consent === undefined
          ? {}
          : {
              consent: {
                ...consent,
                recipient: consent.recipient ?? 'internal',
                status: consent.status ?? 'given',
              },
            }),
        evidence: evidenceOf({ notice, evidence, method }),
        addFlags: add_flags,
        removeFlags: remove_flags,
        aliases,
      };
      return { body: { events: await records.say(path['data_subject']!, said, recorder) } };
    },
  }),
  operation({
    name: 'consents.withdraw',
    method: 'POST',
    path: '/v1/consents/{data_subject}/withdrawals',
    summary: 'Withdraw what somebody has given, for one purpose or for all',
    parameters,
    id: 'data_subject',
    body: object({
      purpose: optional(text('absent: for every purpose', 256)),
      recipient: optional(text('absent: for every recipient', 256)),
      ...evidence,
    }),
    answer: events,
    codes: ['consent_not_found', 'consent_invalid'],
    async run({ path, body, services, recorder }) {
      const { purpose, recipient, ...shown } = body;
      const wanted = {
        ...(purpose === undefined ? {} : { purpose }),
        ...(recipient === undefined ? {} : { recipient }),
      };
      const done = await consents(services).withdraw(
        path['data_subject']!,
        wanted,
        evidenceOf(shown),
        recorder,
      );
      if (done === null || (done.events.length === 0 && done.already === 0))
        throw new SluiceError(
          'consent_not_found',
          'This person has given no such consent, and nothing was changed. To record a refusal, state it: status withdrawn.',
        );
      return { body: { events: done.events } };
    },
  }),
  operation({
    name: 'consents.history',
    method: 'GET',
    path: '/v1/consents/{data_subject}/history',
    summary: 'Every change, oldest first: who, when, on which evidence',
    parameters,
    id: 'data_subject',
    query: object({ limit, cursor }),
    answer: object({ events: Type.Array(event), cursor: nextCursor }),
    codes: ['consent_not_found'],
    async run({ path, query, services }) {
      const id = path['data_subject']!;
      const all = await consents(services).history(id);
      if (all.length === 0) throw unknown();
      const { items, cursor: next } = await page(
        query,
        async (most, after) => all.filter(({ version }) => version > (after?.at ?? 0)).slice(0, most),
        ({ version }) => ({ at: version, id: '' }),
      );
      return { body: { events: items, cursor: next }, disclosure: about([id], services) };
    },
  }),
];

interface Shown {
  readonly notice?: string | undefined;
  readonly evidence?: string | undefined;
  readonly method?: string | undefined;
}

const evidenceOf = ({ notice, evidence, method }: Shown) => ({
  ...(notice === undefined ? {} : { notice }),
  ...(evidence === undefined ? {} : { evidence }),
  ...(method === undefined ? {} : { method }),
});
