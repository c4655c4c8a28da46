/** Section `notices`: where messages to recipients and to the operators go. */
import type { Report } from '../documents/faults.ts';
import {
  defaulted,
  duration,
  optional,
  secret,
  section,
  type Static,
  table,
  url,
} from '../documents/kinds.ts';
import { signingKey } from './signature.ts';

const webhook = section({
  url: url({ description: 'gets a POST for each notice' }),
  secret: secret({
    description: 'key of the signature (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64',
  }),
});

export const noticesSchema = section(
  {
    recipients: defaulted(
      table(webhook, { description: 'recipient (a partner of the policy) → its webhook' }),
      {},
    ),
    alerts: optional(webhook),
    callbacks: defaulted(
      table(webhook, {
        description:
          'name → webhook of an application, which an access request may name as its callback, by the same URL',
      }),
      {},
    ),
    timeout: defaulted(duration({ min: '100ms', max: '60s', description: 'for one delivery' }), '10s'),
    retry_for: defaulted(
      duration({ min: '1m', max: '30d', description: 'a delivery that fails is tried again for so long' }),
      '3d',
    ),
  },
  { description: 'webhooks of recipients, and one for alerts; absent: notices are only listed' },
);

export type NoticesConfig = Static<typeof noticesSchema>;
export type WebhookConfig = Static<typeof webhook>;

export function checkNotices({ recipients, alerts, callbacks }: NoticesConfig, report: Report): void {
  const check = (path: readonly string[], { secret: text }: WebhookConfig): void => {
    if (signingKey(text) === null)
      report([...path, 'secret'], 'is no `whsec_` and 24 to 64 bytes in base64 (openssl rand -base64 32)');
  };
  for (const [name, one] of Object.entries(recipients)) check(['notices', 'recipients', name], one);
  for (const [name, one] of Object.entries(callbacks)) check(['notices', 'callbacks', name], one);
  if (alerts !== undefined) check(['notices', 'alerts'], alerts);
}
