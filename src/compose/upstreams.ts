/** Upstreams as the configuration describes them, and the look-ups of data subjects that are sent to them. */
import type { Config } from '../config/index.ts';
import type { Ask } from '../consent/index.ts';
import type { Send } from '../erasure/index.ts';
import type { UpstreamSection } from '../upstream/section.ts';
import type { ResponseBody, UpstreamConfig, Upstreams } from '../upstream/upstream.ts';
import { upstreamTls } from './tls.ts';

/** @throws SluiceError `config_invalid` */
export function upstreamConfigs({ upstreams }: Config): Record<string, UpstreamConfig> {
  return Object.fromEntries(
    Object.entries(upstreams).map(([name, u]) => [
      name,
      {
        url: u.url,
        timeout: u.timeout,
        connect_timeout: u.connect_timeout,
        connections: u.connections,
        health: u.health ?? null,
        credential: credentialOf(u),
        tls: upstreamTls(name, u),
      },
    ]),
  );
}

function credentialOf({ auth }: UpstreamSection): Record<string, string> {
  if (auth?.bearer !== undefined) return { authorization: `Bearer ${auth.bearer}` };
  if (auth?.basic !== undefined)
    return {
      authorization: `Basic ${Buffer.from(`${auth.basic.username}:${auth.basic.password}`).toString('base64')}`,
    };
  if (auth?.header !== undefined) return { [auth.header.name.toLowerCase()]: auth.header.value };
  return {};
}

/** longest answer to a look-up, in bytes */
const LOOKUP_BYTES = 64 * 1024;

/** Sends a look-up of a data subject (`consent.lookups`) to an upstream. */
export const lookupThrough =
  (upstreams: Pick<Upstreams, 'send'>): Ask =>
  async (upstream, target) => {
    const { status, body } = await upstreams.send(upstream, {
      method: 'GET',
      target,
      headers: { accept: 'application/json' },
      body: null,
    });
    return { status, body: await textOf(body) };
  };

/** null: the body is longer than `LOOKUP_BYTES` */
async function textOf(body: ResponseBody): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > LOOKUP_BYTES) return null;
    }
  } finally {
    body.discard();
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Sends a request that deletes a person (`erasure.deletions`); the body of the answer says nothing that counts. */
export const deletionThrough =
  (upstreams: Pick<Upstreams, 'send'>): Send =>
  async (upstream, method, target) => {
    const { status, body } = await upstreams.send(upstream, { method, target, headers: {}, body: null });
    body.discard();
    return status;
  };
