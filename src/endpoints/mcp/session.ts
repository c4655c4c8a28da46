/**
 * Sessions (`Mcp-Session-Id`, MCP 2025-03-26 to 2025-11-25). The MCP server makes them; Sluice adds a keyed digest of the caller, so that no other
 * caller can use one, and keeps nothing.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import type { Agent, Subject } from '../../model/input.ts';

/** A session is the person's through this agent: another agent of the same person has another one. */
export interface Caller {
  readonly subject: Subject;
  readonly agent: Agent | null;
}

export interface Sessions {
  /** the session as its caller is told it */
  told(session: string, caller: Caller): string;
  /** @returns the MCP server's own. @throws SluiceError `mcp_session_unknown`: for another caller, too */
  own(told: string, caller: Caller): string;
}

/** RFC 9110 field-vchar, as MCP demands it */
const VISIBLE = /^[\x21-\x7e]{1,512}$/;

/** @param name of the MCP server @param key alike in all processes that serve it */
export function createSessions(name: string, key: string): Sessions {
  const digest = (session: string, { subject, agent }: Caller): string => {
    const { type, id, properties } = subject;
    const by = agent === null ? null : [agent.issuer, agent.id];
    return createHmac('sha256', key)
      .update(JSON.stringify([name, session, type, id, properties.organization, by]))
      .digest('base64url');
  };
  return {
    told: (session, caller) => `${session}.${digest(session, caller)}`,
    own(told, caller) {
      const dot = told.lastIndexOf('.');
      const session = told.slice(0, Math.max(dot, 0));
      const expected = Buffer.from(digest(session, caller));
      const given = Buffer.from(told.slice(dot + 1));
      if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected))
        throw unknownSession();
      return session;
    },
  };
}

export const isSession = (value: unknown): value is string =>
  typeof value === 'string' && VISIBLE.test(value);

export const unknownSession = (): SluiceError =>
  new SluiceError(
    'mcp_session_unknown',
    'The session (Mcp-Session-Id) has ended, or is none of this caller. Begin another one: initialize.',
  );
