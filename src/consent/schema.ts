/** The document `consents.yaml`. */
import { type Static, Type } from '../documents/kinds.ts';

const closed = { additionalProperties: false } as const;
const Word = Type.String({ minLength: 1, maxLength: 256 });
const Moment = (description: string) =>
  Type.String({
    pattern: '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?(Z|[+-]\\d{2}:\\d{2}))?$',
    description: `${description}: an RFC 3339 date (UTC) or date and time`,
  });

const consentSchema = Type.Object(
  {
    id: Type.Optional(Word),
    purpose: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'a purpose of the policy’s data; `*` only to refuse',
    }),
    categories: Type.Array(Word, { minItems: 1, uniqueItems: true, description: 'categories, or `*`' }),
    recipient: Type.String({
      minLength: 1,
      maxLength: 256,
      description: '`internal`, or a partner; `*` only to refuse',
    }),
    status: Type.Enum(['given', 'withdrawn']),
    explicit: Type.Optional(Type.Boolean({ description: 'asked for and agreed to, not merely not refused' })),
    from: Type.Optional(Moment('pending before')),
    until: Type.Optional(Moment('expired after; a date lasts to its end')),
    at: Type.Optional(
      Moment('when the data subject said so, needed for a change in the store; no policy sees it'),
    ),
  },
  closed,
);

export const entrySchema = Type.Object(
  {
    flags: Type.Optional(
      Type.Array(Word, {
        uniqueItems: true,
        description: 'of the policy’s flags.yaml, or `opt_out:<purpose>`',
      }),
    ),
    consents: Type.Optional(Type.Array(consentSchema)),
  },
  closed,
);

export const consentsDocumentSchema = Type.Object(
  {
    version: Type.Literal(1),
    data_subjects: Type.Record(Type.String({ minLength: 1, maxLength: 256 }), entrySchema, {
      description: 'by the id that records carry',
    }),
    aliases: Type.Optional(
      Type.Record(
        Word,
        Type.Record(Type.String({ minLength: 1, maxLength: 256 }), Word, {
          description: 'what a record may carry instead → the id above',
        }),
        { description: 'by the type of the identifier (identifiers.yaml)' },
      ),
    ),
  },
  closed,
);

/** what a service answers (`consent.http`) */
export const consentAnswerSchema = Type.Object({
  data_subjects: Type.Record(Type.String({ minLength: 1 }), entrySchema, {
    description: 'by the id that was asked about; a person who is not known is absent',
  }),
});

export type ConsentsDocument = Static<typeof consentsDocumentSchema>;
export type ConsentEntry = Static<typeof entrySchema>;
export type StoredConsent = Static<typeof consentSchema>;

/** every name that the document itself gives a member */
export const KEYS: ReadonlySet<string> = new Set(
  [consentsDocumentSchema, entrySchema, consentSchema].flatMap(({ properties }) => Object.keys(properties)),
);
