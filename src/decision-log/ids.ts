import { v7 } from 'uuid';

/** A decision's id: UUIDv7 (RFC 9562), so that ids sort by time. */
export const newDecisionId = (): string => v7();
