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
export const listenerTls = ({ listen }: Config) => tlsOf(listen.tls, 'listen.tls');

/**
 * TLS of the admin listener, as Node takes it. A client certificate is asked for and may be missing: probes of health have none.
 * @throws SluiceError `config_invalid`
 */
export function adminTls({ listen }: Config) {
  const tls = tlsOf(listen.admin_tls, 'listen.admin_tls');
  if (tls === undefined) return undefined;
  const { cert, key, client_ca: ca } = tls;
  return {
    cert,
    key,
    minVersion: 'TLSv1.2' as const,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: false }),
  };
}

function tlsOf(tls: Config['listen']['tls'], where: string) {
  if (!tls) return undefined;
  return {
    cert: pem(tls.cert, `${where}.cert`),
    key: pem(tls.key, `${where}.key`),
    ...(tls.client_ca === undefined ? {} : { client_ca: pem(tls.client_ca, `${where}.client_ca`) }),
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
