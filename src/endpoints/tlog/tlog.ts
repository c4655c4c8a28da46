/**
 * The logs of the decision log on the admin listener: `GET /tlog/<chain>/checkpoint` and its tiles (C2SP tlog-tiles), and, if a witness is
 * configured, `POST /witness/add-checkpoint` (C2SP tlog-witness). Neither holds personal data: tiles hold hashes. Callers need no credential;
 * a checkpoint carries its signature.
 */
import express, { type Express } from 'express';

const TILE =
  /^\/[a-z0-9-]+\/(?:checkpoint|tile\/(?:[0-9]{1,2}|entries)\/(?:x[0-9]{3}\/)*[0-9]{3}(?:\.p\/[0-9]{1,3})?)$/;
const LONGEST = 64 << 10;

export const servedLogs =
  (dir: string) =>
  (app: Express): void => {
    const files = express.static(dir, {
      cacheControl: false,
      etag: false,
      index: false,
      redirect: false,
      setHeaders(res, path) {
        const isCheckpoint = path.endsWith('/checkpoint');
        res.setHeader(
          'Content-Type',
          isCheckpoint ? 'text/plain; charset=utf-8' : 'application/octet-stream',
        );
        if (!isCheckpoint) res.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
      },
    });
    app.use('/tlog', (req, res, next) => (TILE.test(req.path) ? files(req, res, next) : next()));
  };

export interface CheckpointWitness {
  add(body: string): Promise<{ readonly status: number; readonly type: string; readonly body: string }>;
}

export const witnessing =
  (witness: CheckpointWitness) =>
  (app: Express): void => {
    const text = express.text({ type: () => true, limit: LONGEST });
    app.post('/witness/add-checkpoint', text, async (req, res) => {
      const { status, type, body } = await witness.add(typeof req.body === 'string' ? req.body : '');
      res.status(status).set('Content-Type', type).send(body);
    });
  };
