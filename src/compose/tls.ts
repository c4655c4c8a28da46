/** Certificates and keys that the configuration names as PEM files. */
import { readFileSync } from 'node:fs';
import type { Config } from '../config/index.ts';
import { SluiceError } from '../errors.ts';
import type { UpstreamSection } from '../upstream/section.ts';
import type { UpstreamConfig } from '../upstream/upstream.ts';

/**
 * TLS of the proxy listener; undefined: it serves plain HTTP.
 * @throws SluiceError `config_invalid`
 */
export function listenerTls({ listen: { tls } }: Config) {
  if (!tls) return undefined;
  return {
    cert: pem(tls.cert, 'listen.tls.cert'),
    key: pem(tls.key, 'listen.tls.key'),
    ...(tls.client_ca === undefined ? {} : { client_ca: pem(tls.client_ca, 'listen.tls.client_ca') }),
  };
}

/** @throws SluiceError `config_invalid` */
export function upstreamTls(name: string, { tls }: UpstreamSection): UpstreamConfig['tls'] {
  const { ca, cert, key } = tls;
  return {
    verify: !tls.insecure.skip_verify,
    ...(ca === undefined ? {} : { ca: pem(ca, `upstreams.${name}.tls.ca`) }),
    ...(cert === undefined ? {} : { cert: pem(cert, `upstreams.${name}.tls.cert`) }),
    ...(key === undefined ? {} : { key: pem(key, `upstreams.${name}.tls.key`) }),
  };
}

function pem(file: string, where: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('config_invalid', { message: `${where}: ${file} cannot be read.`, cause });
  }
}
