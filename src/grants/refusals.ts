/** Refusals of changes that several of them share. */
import { SluiceError } from '../errors.ts';
import type { GrantRow } from './tables.ts';

export const spell = (state: string): string => state.replaceAll('_', ' ');

/** @throws SluiceError `grant_not_pending` */
export function requirePending(grant: GrantRow): void {
  if (grant.state !== 'requested')
    throw new SluiceError(
      'grant_not_pending',
      `The request ${grant.id} is not pending: it is ${spell(grant.state)}.`,
    );
}

export const notFound = (id: string): SluiceError =>
  new SluiceError('grant_not_found', `There is no grant ${id}: sluice grants list --state all.`);

export const unauthorized = (who: string): SluiceError =>
  new SluiceError(
    'grant_approver_unauthorized',
    `${who} is neither an approver (grants.approvers in sluice.yaml) nor the one whose access it is.`,
  );
