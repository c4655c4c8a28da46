/** Codes by which a caller proves to deal with a data subject. A code is in no answer: the data subject is sent it. */
import { iso } from '../../../changes/spelled.ts';
import { type AdminServices, configured, type Operation, operation } from './operation.ts';
import { dataSubject, instant, object } from './schemas.ts';

const verifications = ({ verifications: service }: AdminServices) =>
  configured(service, 'the section verification.code');

export const VERIFICATION: readonly Operation[] = [
  operation({
    name: 'verification.send',
    method: 'POST',
    path: '/v1/verification-codes',
    summary: 'Send a customer a one-time code, which counts for this caller alone (header Sluice-Code)',
    body: object({ data_subject: dataSubject }),
    answer: object({ expires_at: instant }),
    codes: ['verification_limited', 'verification_unavailable'],
    holder: ({ caller }) => caller.id,
    async run({ body, caller, services, recorder }) {
      const wanted = { caller: caller.id, data_subject: body.data_subject };
      const expires = await verifications(services).send(wanted, recorder);
      return { body: { expires_at: iso(expires.getTime()) } };
    },
  }),
];
