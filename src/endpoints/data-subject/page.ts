/**
 * The page of a data subject. A signed link is exchanged for a cookie, so that its text stays in no address and no referrer. Every look at the page and
 * every change is on record before its answer leaves. Nobody is authenticated otherwise: who has the link is taken to be the person.
 */
import { timingSafeEqual } from 'node:crypto';
import express, { type Express, type Request, type Response } from 'express';
import type { ConsentChanges } from '../../changes/consents.ts';
import type { ErasureChanges } from '../../changes/erasure.ts';
import type { LinkChanges } from '../../changes/links.ts';
import { callRecorder } from '../../changes/recorder.ts';
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { Subject } from '../../model/input.ts';
import type { Logger } from '../../observability/logger.ts';
import { type DecisionEntry, NOTHING_DISCLOSED, openEntry, writeRecord } from '../../pipeline/record.ts';
import type { Stages } from '../../pipeline/stages.ts';
import { clientIpOf } from '../express.ts';
import { contentOf } from './content.ts';
import { notice, page, POLICY } from './html.ts';
import { Rate } from './rate.ts';

export interface PageServices {
  readonly links: Pick<LinkChanges, 'exchange' | 'visit'>;
  readonly consents: ConsentChanges;
  /** null: no requests are taken */
  readonly erasure: ErasureChanges | null;
  readonly purposes: () => readonly string[];
  /** the keyed digest of a data subject's id */
  readonly dataSubject: (id: string) => string;
  /** where customers reach the page */
  readonly url: string;
  readonly now: () => Date;
  readonly logger: Logger;
}

type Visitor = Awaited<ReturnType<LinkChanges['visit']>>;
type Form = Readonly<Record<string, string>>;
/** what was done, as the page tells it */
type Change = (visitor: Visitor, form: Form, recorder: ReturnType<typeof callRecorder>) => Promise<string>;

const MINUTE = 60_000;
/** for one link */
const LOOKS = { limit: 60, window: MINUTE };
const CHANGES = { limit: 20, window: 10 * MINUTE };
/** for one address, of links and cookies that are not valid; a proxy in front counts as one */
const FAILURES = { limit: 300, window: MINUTE };

const METHOD = 'own page';

const SUBJECT: Subject = {
  type: 'data_subject',
  id: 'data_subject',
  properties: {
    roles: [],
    department: null,
    organization: 'external',
    clearance: null,
    assurance: { amr: [], acr: null, auth_time: null },
  },
};

export function createDataSubjectPage(stages: Stages, services: PageServices): Express {
  const { links, consents, erasure, purposes, dataSubject, url, now, logger } = services;
  const cookie = cookieFor(new URL(url));
  const milliseconds = (): number => now().getTime();
  const looks = new Rate(LOOKS.limit, LOOKS.window, milliseconds);
  const openings = new Rate(LOOKS.limit, LOOKS.window, milliseconds);
  const changes = new Rate(CHANGES.limit, CHANGES.window, milliseconds);
  const failures = new Rate(FAILURES.limit, FAILURES.window, milliseconds);

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_req, res, next) => {
    res.set({
      'Cache-Control': 'no-store',
      'Content-Security-Policy': POLICY,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'X-Robots-Tag': 'noindex',
    });
    next();
  });

  app.get('/l/:token', (req, res) =>
    recording(req, res, 'GET /l/{token}', async (entry) => {
      const { session, seconds, visitor } = await found(req, () => links.exchange(req.params.token));
      limit(openings, visitor.link);
      await recorded(entry, visitor, 303, 'link_opened');
      res.set('Set-Cookie', cookie.set(session, seconds));
      redirect(res, '../');
    }),
  );

  app.get('/', (req, res) =>
    recording(req, res, 'GET /', async (entry) => {
      const visitor = await visitorOf(req);
      limit(looks, visitor.link);
      const shown = await contentOf(visitor.data_subject, services, now());
      const { done } = req.query;
      const body = page({ ...shown, csrf: visitor.csrf, done: typeof done === 'string' ? done : null });
      await recorded(entry, visitor, 200, 'page_opened');
      res.type('html').send(body);
    }),
  );

  const form = express.urlencoded({ extended: false, limit: '4kb', parameterLimit: 16 });
  const changing = (path: string, make: Change): void => {
    app.post(path, (req, res) =>
      recording(req, res, `POST ${path}`, async (entry) => {
        const visitor = await visitorOf(req);
        await new Promise<void>((resolve, reject) => {
          form(req, res, (error?: unknown) => (error ? reject(incomplete()) : resolve()));
        });
        const sent = formOf(req, visitor);
        limit(changes, visitor.link);
        entry.subject = SUBJECT;
        entry.labels = { ...entry.labels, link: visitor.link };
        const recorder = callRecorder(entry, SUBJECT, 303, stages);
        const done = await make(visitor, sent, recorder);
        if (!recorder.isRecorded) await recorded(entry, visitor, 303, done);
        redirect(res, `./?done=${done}`);
      }),
    );
  };

  changing('/withdraw', async ({ data_subject }, { purpose, recipient }, recorder) => {
    if (!purpose || !recipient) throw incomplete();
    const done = await consents.withdraw(data_subject, { purpose, recipient }, { method: METHOD }, recorder);
    return done !== null && done.events.length > 0 ? 'withdrawn' : 'unchanged';
  });
  const flag = (purpose: string | undefined): string => {
    if (purpose === undefined || !purposes().includes(purpose)) throw incomplete();
    return `opt_out:${purpose}`;
  };
  changing('/object', async ({ data_subject }, { purpose }, recorder) => {
    const said = { evidence: { method: METHOD }, addFlags: [flag(purpose)] };
    return (await consents.say(data_subject, said, recorder)).length > 0 ? 'objected' : 'unchanged';
  });
  changing('/allow', async ({ data_subject }, { purpose }, recorder) => {
    const said = { evidence: { method: METHOD }, removeFlags: [flag(purpose)] };
    return (await consents.say(data_subject, said, recorder)).length > 0 ? 'allowed' : 'unchanged';
  });
  changing('/request', async ({ data_subject }, { kind, sure }, recorder) => {
    if (erasure === null || (kind !== 'access' && kind !== 'erasure')) throw incomplete();
    if (kind === 'erasure' && sure !== 'yes') throw incomplete();
    const { isNew } = await erasure.request({ kind, data_subject, note: METHOD }, recorder);
    return isNew ? 'requested' : 'unchanged';
  });
  app.post('/end', (_req, res) => {
    res.set('Set-Cookie', cookie.clear());
    res.type('html').send(notice('页面已关闭。', 'The page is closed.'));
  });

  app.use((_req, res) => {
    res.status(404).type('html').send(notice('没有此页面。', 'There is no such page.'));
  });
  app.use((_error: unknown, _req: Request, res: Response, _next: express.NextFunction) => {
    res.status(400).type('html').send(notice('请求无法读取。', 'The request cannot be read.'));
  });
  return app;

  /** @throws SluiceError `link_invalid`; `overloaded` after too many failures from one address */
  async function found<T>(req: Request, find: () => Promise<T>): Promise<T> {
    try {
      return await find();
    } catch (e) {
      if (e instanceof NoSession || isSluiceError(e, 'link_invalid')) limit(failures, clientIpOf(req) ?? '');
      throw e;
    }
  }

  async function visitorOf(req: Request): Promise<Visitor> {
    const session = cookie.get(req.headers.cookie);
    return found(req, () => {
      if (session === null) throw new NoSession();
      return links.visit(session);
    });
  }

  function recorded(entry: DecisionEntry, { data_subject, link }: Visitor, status: number, code: string) {
    entry.kind = 'consent';
    entry.action ??= 'consents.get';
    entry.subject = SUBJECT;
    entry.reasons = [{ code }];
    entry.labels = { ...entry.labels, link };
    const summary = { ...NOTHING_DISCLOSED, data_subjects: [dataSubject(data_subject)] };
    return writeRecord(entry.draft('allowed', status, null, summary), stages);
  }

  /** Whatever is thrown is recorded, unless it was too much, and answered with a page that says nothing of the person. */
  async function recording(
    req: Request,
    res: Response,
    route: string,
    serve: (entry: DecisionEntry) => Promise<void>,
  ): Promise<void> {
    const { method } = req;
    const entry = openEntry(stages, {
      client_ip: clientIpOf(req),
      method,
      route,
      path: route.slice(route.indexOf(' ') + 1),
    });
    entry.kind = 'consent';
    try {
      await serve(entry);
    } catch (err) {
      await refuse(entry, err, res);
    }
  }

  async function refuse(entry: DecisionEntry, err: unknown, res: Response): Promise<void> {
    if (err instanceof TooMany) {
      res.status(429).set('Retry-After', String(err.seconds)).type('html');
      res.send(notice('请求过于频繁，请稍后再试。', 'Too many requests. Please try again later.'));
      return;
    }
    if (err instanceof NoSession) {
      res.status(403).type('html').send(NOTICES[403]);
      return;
    }
    const code = isSluiceError(err) ? err.code : 'internal';
    const status = code === 'link_invalid' ? 403 : code === 'input_invalid' ? 400 : 503;
    if (status >= 500) logger.error({ err, decision_id: entry.id }, 'the page of a data subject failed');
    entry.subject = SUBJECT;
    entry.reasons = [...entry.internalReasons, { code }];
    try {
      await writeRecord(entry.draft(status >= 500 ? 'error' : 'denied', status, null, null), stages);
    } catch (unrecorded) {
      logger.error({ err: unrecorded, decision_id: entry.id }, 'a refusal of the page could not be recorded');
    }
    res.status(status).type('html').send(NOTICES[status]);
  }
}

const NOTICES = {
  400: notice('请求不完整，没有任何更改。', 'The request is not complete. Nothing was changed.'),
  403: notice(
    '链接无效或已过期，请向我们索取新的链接。',
    'The link is not valid, or its time is over. Please ask us for a new one.',
  ),
  503: notice(
    '暂时无法处理，没有任何更改。请稍后再试。',
    'This does not work at the moment. Nothing was changed. Please try again later.',
  ),
};

/** Nothing was shown that could be recorded: anybody may ask for the address. */
class NoSession extends Error {}

class TooMany extends Error {
  readonly seconds: number;

  constructor(seconds: number) {
    super('too many requests');
    this.seconds = seconds;
  }
}

function limit(rate: Rate, key: string): void {
  const seconds = rate.take(key);
  if (seconds !== null) throw new TooMany(seconds);
}

/** Relative: a proxy may put the page below a path. */
function redirect(res: Response, to: string): void {
  res.status(303).set('Location', to).end();
}

const incomplete = (): SluiceError => new SluiceError('input_invalid', 'The form is not complete.');

/** The values of a form that this page has made for this visitor. @throws SluiceError `link_invalid` for one of another page */
function formOf(req: Request, { csrf }: Visitor): Form {
  const body: unknown = req.body;
  const values = Object.entries(typeof body === 'object' && body !== null ? body : {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
  const form = Object.fromEntries(values);
  const site = req.headers['sec-fetch-site'];
  const isOwn = site === undefined || site === 'same-origin' || site === 'none';
  if (!isOwn || !isEqual(form['csrf'] ?? '', csrf))
    throw new SluiceError('link_invalid', 'The form is not one of this page.');
  return form;
}

function isEqual(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

/** The session's cookie: for this host alone, over TLS alone, never for scripts; not sent with requests that another site makes by itself. */
function cookieFor({ protocol, pathname }: URL) {
  const isSecure = protocol === 'https:';
  const path = pathname.endsWith('/') ? pathname : `${pathname}/`;
  const name = !isSecure
    ? 'sluice_session'
    : path === '/'
      ? '__Host-sluice_session'
      : '__Secure-sluice_session';
  const spell = (value: string, seconds: number): string =>
    `${name}=${value}; Path=${path}; Max-Age=${seconds}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return {
    set: spell,
    clear: () => spell('', 0),
    get(header: string | undefined): string | null {
      // Two of one name: somebody else has set one of them.
      const found = (header ?? '').split(/; */).filter((pair) => pair.startsWith(`${name}=`));
      return found.length === 1 ? found[0]!.slice(name.length + 1) : null;
    },
  };
}
