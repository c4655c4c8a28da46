/**
 * Links that open the page of one data subject. The signed text names the link by a random id, and no person: who it is for is in the store, where it
 * can be revoked. A session is what a link is exchanged for; it ends with the link.
 */
import { randomBytes } from 'node:crypto';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Database, Migration, Row } from '../model/database.ts';
import type { Journaled } from '../model/journaled.ts';
import { faultOfId } from '../model/spelling.ts';
import type { Signing } from '../model/signing.ts';
import type { DataSubjectPageConfig } from './section.ts';

export const LINK_MIGRATIONS: readonly Migration[] = [
  {
    name: 'links/1',
    isAdditive: true,
    sql: `
      CREATE TABLE subject_links (
        id text PRIMARY KEY, data_subject text NOT NULL, created_at bigint NOT NULL, created_by text NOT NULL, expires_at bigint NOT NULL,
        revoked_at bigint, revoked_by text
      );
      CREATE INDEX subject_links_of ON subject_links (data_subject)`,
  },
];

/** Moments are milliseconds. */
export interface LinkRow extends Row {
  readonly id: string;
  readonly data_subject: string;
  readonly created_at: number;
  readonly created_by: string;
  readonly expires_at: number;
  readonly revoked_at: number | null;
  readonly revoked_by: string | null;
}

/** Somebody who has opened the page. */
export interface Visitor {
  readonly link: string;
  readonly data_subject: string;
  /** the forms of the page carry it: a page of somebody else does not know it */
  readonly csrf: string;
}

export interface Links {
  /** @throws SluiceError `input_invalid` for an id that no data subject can have */
  create(
    data_subject: string,
    by: string,
    journaled: Journaled<LinkRow>,
  ): Promise<{ readonly row: LinkRow; readonly token: string }>;
  /** All links of a person; sessions that they opened end at once. @returns those that were in force */
  revoke(
    data_subject: string,
    by: string,
    journaled: Journaled<readonly LinkRow[]>,
  ): Promise<readonly LinkRow[]>;
  /**
   * @param before the session that this browser has; if it is of the same link, pages that are open go on working
   * @throws SluiceError `link_invalid`, `store_unavailable`, `signing_key_unavailable`
   */
  exchange(
    token: string,
    before: string | null,
  ): Promise<{ readonly session: string; readonly seconds: number; readonly visitor: Visitor }>;
  /** @throws as `exchange` */
  visit(session: string): Promise<Visitor>;
}

export interface LinkDependencies {
  readonly signing: Pick<Signing, 'sign' | 'verify'>;
  readonly now: () => Date;
}

export function createLinks(
  database: Database,
  config: Pick<DataSubjectPageConfig, 'link' | 'session'>,
  { signing, now }: LinkDependencies,
): Links {
  /** The link that a signed text names, while it is in force. */
  const inForce = async (type: 'subject-link' | 'subject-session', token: string) => {
    const { payload } = await signing.verify(type, token).catch((e: SluiceError) => {
      throw e.code === 'signature_invalid' || e.code === 'signature_expired' ? invalid(e) : e;
    });
    const [row] = await database.query<LinkRow>('SELECT * FROM subject_links WHERE id = $1', [
      String(payload['jti']),
    ]);
    if (row === undefined || row.revoked_at !== null || row.expires_at <= now().getTime()) throw invalid();
    return { row, payload };
  };

  const visit = async (session: string): Promise<Visitor> => {
    const { row, payload } = await inForce('subject-session', session);
    return { link: row.id, data_subject: row.data_subject, csrf: String(payload['csrf']) };
  };

  return {
    async create(data_subject, by, journaled) {
      const fault = faultOfId('The id of a data subject', data_subject);
      if (fault !== null) throw new SluiceError('input_invalid', fault);
      const at = now().getTime();
      const row: LinkRow = {
        id: randomBytes(16).toString('base64url'),
        data_subject,
        created_at: at,
        created_by: by,
        expires_at: at + config.link,
        revoked_at: null,
        revoked_by: null,
      };
      const token = await signing.sign('subject-link', {
        jti: row.id,
        exp: Math.floor(row.expires_at / 1000),
      });
      await database.transaction(async (tx) => {
        await tx.query(
          'INSERT INTO subject_links (id, data_subject, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5)',
          [row.id, data_subject, at, by, row.expires_at],
        );
        await journaled(row, tx);
      });
      return { row, token };
    },

    revoke: (data_subject, by, journaled) =>
      database.transaction(async (tx) => {
        const at = now().getTime();
        const rows = await tx.query<LinkRow>(
          `UPDATE subject_links SET revoked_at = $2, revoked_by = $3
           WHERE data_subject = $1 AND revoked_at IS NULL AND expires_at > $2 RETURNING *`,
          [data_subject, at, by],
        );
        if (rows.length > 0) await journaled(rows, tx);
        return rows;
      }),

    async exchange(token, before) {
      const { row } = await inForce('subject-link', token);
      const open = before === null ? null : await visit(before).catch(unlessInvalid);
      const csrf = open?.link === row.id ? open.csrf : randomBytes(16).toString('base64url');
      const until = Math.min(row.expires_at, now().getTime() + config.session);
      const session = await signing.sign('subject-session', {
        jti: row.id,
        csrf,
        exp: Math.floor(until / 1000),
      });
      const seconds = Math.max(1, Math.floor((until - now().getTime()) / 1000));
      return { session, seconds, visitor: { link: row.id, data_subject: row.data_subject, csrf } };
    },

    visit,
  };
}

const unlessInvalid = (e: unknown): null => {
  if (isSluiceError(e, 'link_invalid')) return null;
  throw e;
};

/** One message for all: whoever guesses learns nothing. */
const invalid = (cause?: unknown): SluiceError =>
  new SluiceError('link_invalid', {
    message: 'The link is not valid, its time is over, or it was revoked.',
    ...(cause === undefined ? {} : { cause }),
  });
