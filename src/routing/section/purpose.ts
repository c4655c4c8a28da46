/** Section `purpose`: where a request's purpose, recipient and tier come from. */
import { defaulted, section, type Static, table, Type } from '../../documents/kinds.ts';

const header = Type.String({ pattern: '^[A-Za-z0-9-]+$', maxLength: 64 });

export const purposeSchema = section(
  {
    header: defaulted(header, 'Sluice-Purpose'),
    claim: defaulted(
      Type.Union([Type.String({ minLength: 1 }), Type.Null()], {
        description: 'claim with the purpose, or list of purposes, that the credential is bound to',
      }),
      'purpose',
    ),
    default: defaulted(Type.Union([Type.String({ minLength: 1 }), Type.Null()]), null),
    recipients: defaulted(
      table(Type.String({ minLength: 1 }), {
        description: 'organization → recipient, if the names differ',
      }),
      {},
    ),
    justification: defaulted(
      Type.Integer({
        minimum: 0,
        maximum: 4096,
        description: 'maximum length of the justification, in characters',
      }),
      500,
    ),
  },
  { description: 'purpose and recipient of a request' },
);

export type PurposeConfig = Static<typeof purposeSchema>;
