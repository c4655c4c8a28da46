/** Every built-in that OPA 1.19 leaves to its host, and every function of the module that `wasm/hosted.ts` replaces, by name. */
import { casts } from './casts.ts';
import { digests } from './digests.ts';
import { encoding } from './encoding.ts';
import { graphql } from './graphql/index.ts';
import { documents } from './json/documents.ts';
import { objects } from './json/objects.ts';
import { patch } from './json/patch.ts';
import { schema } from './json-schema/index.ts';
import { jwt } from './jwt/index.ts';
import { net } from './net.ts';
import { arithmetic } from './numbers/arithmetic.ts';
import { numbers } from './numbers/range.ts';
import { units } from './numbers/units.ts';
import { semver } from './semver.ts';
import { storedKey } from './stored-key.ts';
import { template } from './template/index.ts';
import { globMatch } from './text/glob.ts';
import { regex } from './text/regex.ts';
import { format } from './text/sprintf.ts';
import { strings } from './text/strings.ts';
import { time } from './time/index.ts';
import type { Builtin, Family } from './types.ts';
import { uri } from './uri.ts';
import { uuid } from './uuid.ts';
import { x509 } from './x509/index.ts';
import { yaml } from './yaml/index.ts';

const FAMILIES: readonly Family[] = [
  arithmetic,
  casts,
  digests,
  documents,
  encoding,
  format,
  globMatch,
  graphql,
  jwt,
  net,
  numbers,
  objects,
  patch,
  regex,
  schema,
  semver,
  strings,
  storedKey,
  template,
  time,
  units,
  uri,
  uuid,
  x509,
  yaml,
];

export const builtins: ReadonlyMap<string, Builtin> = new Map(
  FAMILIES.flatMap((family) => Object.entries(family)),
);
