/** Whose webhook a notice goes to. */
import type { NoticesConfig, WebhookConfig } from './section.ts';

const CALLBACK = 'callback:';

/** @param recipient as in `Notice` @returns undefined: it has none */
export function webhookOf(
  { recipients, callbacks, alerts }: NoticesConfig,
  recipient: string | null,
): WebhookConfig | undefined {
  if (recipient === null) return alerts;
  const [table, name] = recipient.startsWith(CALLBACK)
    ? [callbacks, recipient.slice(CALLBACK.length)]
    : [recipients, recipient];
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
