/** What is checked before a request is changed. */
import { didYouMean } from '../documents/near-name.ts';
import { SluiceError } from '../errors.ts';
import { startOf } from '../model/moment.ts';
import { faultOfId } from '../model/spelling.ts';
import { type Hold, isOpen, isOverdue, type RequestRow } from './tables.ts';

export const isOver = (until: string, at: number): boolean =>
  isOverdue({ state: 'partly', holds: JSON.stringify([{ until }]) } as RequestRow, at);

/** @throws SluiceError `erasure_closed` */
export function requireOpen(request: RequestRow): void {
  if (!isOpen(request))
    throw new SluiceError(
      'erasure_closed',
      `The request ${request.id} is closed: ${request.state} since ${new Date(request.closed_at!).toISOString()}.`,
    );
}

/** @throws SluiceError `erasure_invalid` */
export function checkId(id: string): void {
  const fault = faultOfId('The id of a data subject', id);
  if (fault !== null) throw new SluiceError('erasure_invalid', fault);
}

/** @param known categories of the policy's catalogs. @throws SluiceError `erasure_invalid` */
export function checkCategory(category: string, known: readonly string[]): void {
  if (!known.includes(category))
    throw new SluiceError(
      'erasure_invalid',
      `No catalog of the policy has the category "${category}"${didYouMean(category, known) || '.'} Its categories: ${known.join(', ') || 'none'}.`,
    );
}

/** @throws SluiceError `erasure_invalid` */
export function checkHold({ category, basis, until }: Hold, now: Date): void {
  if (!/^[a-z][a-z0-9_]*$/.test(category))
    throw new SluiceError('erasure_invalid', 'A hold names a category of the policy, such as transaction.');
  if (basis.trim() === '')
    throw new SluiceError('erasure_invalid', 'A hold names its basis: the law or the proceedings.');
  const wellFormed = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(until);
  if (!wellFormed || Number.isNaN(startOf(until)))
    throw new SluiceError('erasure_invalid', 'A hold has an end: a date such as 2031-12-31.');
  if (isOver(until, now.getTime()))
    throw new SluiceError('erasure_invalid', 'The end of the hold is in the past.');
}
