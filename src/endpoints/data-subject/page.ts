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
import { namelessIn, type Subject } from '../../model/input.ts';
import type { Logger } from '../../observability/logger.ts';
import { NOTHING_DISCLOSED } from '../../model/record.ts';
import { type DecisionEntry, openEntry, writeRecord } from '../../pipeline/record.ts';
import type { Stages } from '../../pipeline/stages.ts';
import { clientIpOf } from '../express.ts';
import { contentOf } from './content.ts';
import { cookieFor } from './cookie.ts';
import { type Language, page, POLICY } from './html.ts';
import { NOTICES } from './notices.ts';
import { networkOf, Rate } from '../rate.ts';

export interface PageServices {
  readonly links: Pick<LinkChanges, 'exchange' | 'visit'>;
  readonly consents: ConsentChanges;
  /** null: no requests are taken */
  readonly erasure: ErasureChanges | null;
  readonly purposes: () => readonly string[];
  /** the keyed digest of a data subject's id */
  readonly dataSubject: (id: string) => string;
  /** IANA name */
  readonly timeZone: string;
  /** where customers reach the page */
  readonly url: string;
  readonly now: () => Date;
  /** milliseconds of a clock that nobody sets */
  readonly elapsed: () => number;
  readonly logger: Logger;
}

type Visitor = Awaited<ReturnType<LinkChanges['visit']>>;
type Form = Readonly<Record<string, string>>;
/** what was done, as the page tells it; also to somebody who has pressed a button twice */
type Change = (visitor: Visitor, form: Form, recorder: ReturnType<typeof callRecorder>) => Promise<string>;

const MINUTE = 60_000;
/** for one link */
const LOOKS = { limit: 60, window: MINUTE };
const CHANGES = { limit: 20, window: 10 * MINUTE };
/** for one address, of links and cookies that are not valid; a proxy in front counts as one */
const FAILURES = { limit: 300, window: MINUTE };

const METHOD = 'own page';
const LINK_ROUTE = 'GET /l/{token}';

const SUBJECT: Subject = {
  type: 'data_subject',
  id: 'data_subject',
  properties: namelessIn('external'),
};

export function createDataSubjectPage(stages: Stages, services: PageServices): Express {
  const { links, consents, erasure, purposes, dataSubject, timeZone, url, now, elapsed, logger } = services;
  const cookie = cookieFor(new URL(url));
  const looks = new Rate(LOOKS.limit, LOOKS.window, elapsed);
  const openings = new Rate(LOOKS.limit, LOOKS.window, elapsed);
  const changes = new Rate(CHANGES.limit, CHANGES.window, elapsed);
  const failures = new Rate(FAILURES.limit, FAILURES.window, elapsed);

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
    recording(req, res, LINK_ROUTE, async (entry) => {
      const { session, seconds, visitor } = await found(req, () =>
        links.exchange(req.params.token, cookie.get(req.headers.cookie)),
      );
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
      const language = languageOf(req);
      const told = typeof done === 'string' ? done : null;
      const body = page({ ...shown, language, timeZone, csrf: visitor.csrf, done: told });
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
        if (!recorder.isRecorded) await recorded(entry, visitor, 303, 'unchanged');
        const { lang } = sent;
        redirect(res, `./?done=${done}${isLanguage(lang) ? `&lang=${lang}` : ''}`);
      }),
    );
  };

  changing('/withdraw', async ({ data_subject }, { purpose, recipient }, recorder) => {
    if (!purpose || !recipient) throw incomplete();
    const done = await consents.withdraw(data_subject, { purpose, recipient }, { method: METHOD }, recorder);
    return done !== null && done.events.length + done.already > 0 ? 'withdrawn' : 'unchanged';
  });
  const flag = (purpose: string | undefined): string => {
    if (purpose === undefined || !purposes().includes(purpose)) throw incomplete();
    return `opt_out:${purpose}`;
  };
  changing('/object', async ({ data_subject }, { purpose }, recorder) => {
    const said = { evidence: { method: METHOD }, addFlags: [flag(purpose)] };
    await consents.say(data_subject, said, recorder);
    return 'objected';
  });
  changing('/allow', async ({ data_subject }, { purpose }, recorder) => {
    const said = { evidence: { method: METHOD }, removeFlags: [flag(purpose)] };
    await consents.say(data_subject, said, recorder);
    return 'allowed';
  });
  changing('/request', async ({ data_subject }, { kind, sure }, recorder) => {
    if (erasure === null || (kind !== 'access' && kind !== 'erasure')) throw incomplete();
    if (kind === 'erasure' && sure !== 'yes') throw incomplete();
    const { isNew } = await erasure.request({ kind, data_subject, note: METHOD }, recorder);
    return isNew ? 'requested' : 'known';
  });
  app.post('/end', (_req, res) => {
    res.set('Set-Cookie', cookie.clear());
    res.type('html').send(NOTICES.closed);
  });

  app.use((_req, res) => {
    res.status(404).type('html').send(NOTICES.none);
  });
  app.use((_error: unknown, _req: Request, res: Response, _next: express.NextFunction) => {
    res.status(400).type('html').send(NOTICES.unreadable);
  });
  return app;

  /** @throws SluiceError `link_invalid`; `overloaded` after too many failures from one address */
  async function found<T>(req: Request, find: () => Promise<T>): Promise<T> {
    try {
      return await find();
    } catch (e) {
      if (e instanceof NoSession || isSluiceError(e, 'link_invalid'))
        limit(failures, networkOf(clientIpOf(req) ?? ''));
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
      res.send(NOTICES.often);
      return;
    }
    if (err instanceof NoSession) {
      res.status(403).type('html').send(NOTICES.session);
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
    const isLink = entry.request?.route === LINK_ROUTE;
    const said =
      err instanceof OtherForm
        ? NOTICES.form
        : status === 403
          ? NOTICES[isLink ? 'link' : 'session']
          : NOTICES[status === 400 ? 'incomplete' : 'failed'];
    res.status(status).type('html').send(said);
  }
}

/** A form that this page has not made for this visitor: of another site, or of a page that another link has opened since. */
class OtherForm extends SluiceError {
  constructor() {
    super('link_invalid', 'The form is not one of this page.');
  }
}

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

const isLanguage = (value: unknown): value is Language => value === 'zh' || value === 'en';

/** What the visitor has chosen; otherwise what the browser prefers. */
const languageOf = (req: Request): Language => {
  const { lang } = req.query;
  return isLanguage(lang) ? lang : req.acceptsLanguages('zh', 'en') === 'zh' ? 'zh' : 'en';
};

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
  if (!isOwn || !isEqual(form['csrf'] ?? '', csrf)) throw new OtherForm();
  return form;
}

function isEqual(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
