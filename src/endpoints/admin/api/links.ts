/** Links to the page of a data subject. A link is in one answer, once: whoever has it is taken to be that person. */
import { linkUrl } from '../../../changes/links.ts';
import { iso } from '../../../changes/spelled.ts';
import { Type } from '../../../documents/kinds.ts';
import { type AdminServices, configured, type Operation, operation } from './operation.ts';
import { dataSubject, instant, nullable, object } from './schemas.ts';

const links = ({ links: service }: AdminServices) => configured(service, 'the section data_subject_page');

export const LINKS: readonly Operation[] = [
  operation({
    name: 'links.create',
    method: 'POST',
    path: '/v1/links',
    summary: 'Make a link that opens the page of this person; it cannot be shown again',
    status: 201,
    body: object({ data_subject: dataSubject }),
    answer: object({
      url: nullable(Type.String({ description: 'null: it was shown by the first call with this key' })),
      id: Type.String(),
      expires_at: instant,
    }),
    codes: ['signing_key_unavailable'],
    async run({ body, services, recorder }) {
      const service = links(services);
      const { row, token } = await service.create(body.data_subject, recorder);
      const rest = { id: row.id, expires_at: iso(row.expires_at) };
      return { body: { url: linkUrl(service.url, token), ...rest }, kept: { url: null, ...rest } };
    },
  }),
  operation({
    name: 'links.revoke',
    method: 'POST',
    path: '/v1/links/revoke',
    summary: 'End every link of this person, and what they have opened',
    body: object({ data_subject: dataSubject }),
    answer: object({
      revoked: Type.Array(Type.String({ description: 'id of a link' }), {
        description: 'empty: none was in force',
      }),
    }),
    codes: [],
    async run({ body, services, recorder }) {
      const rows = await links(services).revoke(body.data_subject, recorder);
      return { body: { revoked: rows.map(({ id }) => id) } };
    },
  }),
];
