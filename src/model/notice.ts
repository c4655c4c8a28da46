/** Messages that Sluice owes somebody outside: a recipient of data, or the operators. */
import type { Queries } from './database.ts';

export const NOTICE_TYPES = [
  'consent.withdrawn',
  'erasure.accepted',
  'share.expired',
  'break_glass.opened',
  'access_request.decided',
] as const;
export type NoticeType = (typeof NOTICE_TYPES)[number];

export interface Notice {
  /** a recipient (partner); `callback:<name>`: an application that asked for access; null: the operators */
  readonly recipient: string | null;
  readonly type: NoticeType;
  /** members of `data` in the message; JSON */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Outbox {
  /** Inside the transaction of what the notices are about: they are owed exactly if it is in force. @returns their ids */
  add(queries: Queries, notices: readonly Notice[]): Promise<readonly string[]>;
}
