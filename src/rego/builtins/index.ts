/** Every built-in that OPA 1.19 leaves to its host, and those of the module that `hosted.ts` replaces, by name. */
import { arithmetic } from './arithmetic.ts';
import { casts } from './casts.ts';
import { digests } from './digests.ts';
import { documents } from './documents.ts';
import { encoding } from './encoding.ts';
import { format } from './format.ts';
import { globMatch } from './glob-match.ts';
import { graphql } from './graphql.ts';
import { jwt } from './jwt.ts';
import { net } from './net.ts';
import { numbers } from './numbers.ts';
import { objects } from './objects.ts';
import { patch } from './patch.ts';
import { regex } from './regex.ts';
import { schema } from './schema.ts';
import { semver } from './semver.ts';
import { strings } from './strings.ts';
import { template } from './template.ts';
import { time } from './time.ts';
import type { Builtin, Family } from './types.ts';
import { units } from './units.ts';
import { uri } from './uri.ts';
import { uuid } from './uuid.ts';
import { x509 } from './x509.ts';
import { yaml } from './yaml.ts';

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
