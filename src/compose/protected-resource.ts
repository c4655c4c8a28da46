/** The proxy listener as a protected resource, in the terms of `endpoints/oauth/`. */
import type { Config } from '../config/index.ts';
import type { ResourceOptions } from '../endpoints/oauth/protected-resource.ts';

/** undefined: the configuration has no `protected_resource` */
export const protectedResource = ({
  protected_resource: config,
  identity,
  mcp = [],
}: Config): ResourceOptions | undefined =>
  config && {
    config,
    issuers: identity.issuers.map(({ issuer }) => issuer),
    paths: mcp.map(({ path }) => path),
  };
