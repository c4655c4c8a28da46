/** `GET /.well-known/jwks.json`: the public keys by which anybody can check what Sluice has signed. */
import type { Express } from 'express';
import { isSluiceError } from '../../errors.ts';
import type { Signing } from '../../model/signing.ts';
import { statusOf } from '../problems.ts';

/** seconds for which others may keep the keys */
const MAX_AGE = 300;

export const publishedKeys =
  (signing: Pick<Signing, 'publicKeys'>) =>
  (app: Express): void => {
    app.get('/.well-known/jwks.json', (_req, res) => {
      let keys: ReturnType<Signing['publicKeys']>;
      try {
        keys = signing.publicKeys();
      } catch (e) {
        if (!isSluiceError(e)) throw e;
        const status = statusOf(e.code);
        res.status(status).type('application/problem+json');
        res.send({ title: 'No keys', status, code: e.code, detail: e.message });
        return;
      }
      res.set('Cache-Control', `public, max-age=${MAX_AGE}`);
      res.type('application/jwk-set+json').send(JSON.stringify(keys));
    });
  };
