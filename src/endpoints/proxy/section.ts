/** Which web pages may read answers in a browser. Without this section no page may. */
import type { Report } from '../../documents/faults.ts';
import { defaulted, duration, section, type Static, Type } from '../../documents/kinds.ts';

const name = Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", maxLength: 64 });

export const corsSchema = section(
  {
    origins: Type.Array(
      Type.String({
        pattern: '^(?:\\*|https?://[a-z0-9*.:\\[\\]-]+)$',
        maxLength: 256,
        description:
          '`https://app.example.com`, with its port if it has one; `*` stands for one label: `https://*.example.com`; or `*` alone for every page',
      }),
      { minItems: 1, uniqueItems: true, description: 'origins whose pages may read answers' },
    ),
    headers: defaulted(
      Type.Array(name, {
        uniqueItems: true,
        description:
          'request headers that pages may send in addition to `Authorization`, `Content-Type`, `SOAPAction`, those of Sluice and `upstreams.<name>.request_headers`',
      }),
      [],
    ),
    expose: defaulted(
      Type.Array(name, {
        uniqueItems: true,
        description:
          'response headers that pages may read in addition to those of Sluice and `upstreams.<name>.response_headers`',
      }),
      [],
    ),
    max_age: defaulted(
      duration({
        min: '0s',
        max: '24h',
        description: 'how long a browser may cache the answer to a preflight request',
      }),
      '10m',
    ),
    credentials: defaulted(
      Type.Boolean({
        description: 'browsers may present a client certificate; not allowed with the origin `*`',
      }),
      false,
    ),
  },
  { description: 'access for web pages of other origins (CORS)' },
);

export type CorsConfig = Static<typeof corsSchema>;

/** Browsers spell each origin in one way, and a pattern must not match hosts that others can register. */
export function checkCors({ origins, credentials }: CorsConfig, report: Report): void {
  for (const [i, origin] of origins.entries()) {
    const path = ['cors', 'origins', i];
    if (origin === '*') {
      if (origins.length > 1) report(path, 'stands for every origin: the others say nothing beside it');
      if (credentials) report(path, 'cannot go with credentials: name the origins');
      continue;
    }
    const [, host = '', port] = /^https?:\/\/(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(origin) ?? [];
    const fixed = host.split('*').at(-1) ?? '';
    if (
      origin !== origin.toLowerCase() ||
      host === '' ||
      (port !== undefined && !/^(?:\*|[0-9]{1,5})$/.test(port))
    )
      report(path, 'is not an origin as browsers send it: https://host or https://host:port');
    else if (port === (origin.startsWith('https:') ? '443' : '80'))
      report(path, 'names the default port, which browsers leave out');
    else if (host.includes('*') && !/^\.[a-z0-9-]+\.[a-z0-9.-]+$/.test(fixed))
      report(
        path,
        'takes in hosts of anybody: write it as https://*.example.com, with at least two labels behind the *',
      );
  }
}
