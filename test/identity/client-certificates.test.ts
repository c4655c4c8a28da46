/** Client certificates over real TLS sockets: what Node shows of a certificate is what the identity stage understands. */
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../src/identity/index.ts';
import type { PeerCertificate } from '../../src/model/exchange.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { identityWith } from './setup.ts';

/** made by certificates/make.sh */
const pem = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'certificates', `${name}.pem`), 'utf8');
const pair = (name: string) => ({ cert: pem(name), key: pem(`${name}.key`) });

let identity: Identity;
let port = 0;
const server = createServer(
  { ...pair('server'), ca: pem('ca'), requestCert: true, rejectUnauthorized: true },
  async (req, res) => {
    try {
      const certificate = (req.socket as TLSSocket).getPeerCertificate() as unknown as PeerCertificate;
      res.end((await identity.authenticate({}, { ip: null, certificate })).subject.id);
    } catch (e) {
      res.end((e as { code: string }).code);
    }
  },
);
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const call = (client: string, entry: object): Promise<string> => {
  const certificates = [{ ...entry, subject: { id: 'swift', organization: 'swift_logistics' } }];
  identity = identityWith({ certificates }, systemClock);
  return new Promise((resolve, reject) => {
    const options = {
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ...pair(client),
      ca: pem('ca'),
      agent: false,
    };
    const req = request(options, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('end', () => resolve(text));
    });
    req.on('error', reject).end();
  });
};

describe('a certificate that a caller shows over TLS', () => {
  test.each([
    ['a DNS name', { dns: 'gateway.swift.example' }],
    ['a URI', { uri: 'spiffe://swift/gateway' }],
    ['its subject', { subject_name: { O: 'Swift Logistics', CN: 'gateway' } }],
  ])('is known by %s', async (_how, entry) => {
    expect(await call('client', entry)).toBe('swift');
  });
  test('is not known by what it does not have', async () => {
    expect(await call('client', { dns: 'other.example' })).toBe('token_missing');
  });
  test('cannot smuggle in a DNS name inside a URI (CVE-2021-44532)', async () => {
    expect(await call('impostor', { dns: 'gateway.swift.example' })).toBe('token_missing');
  });
});
