/** Where the policy comes from. */
import { type Static, Type } from 'typebox';
import { defaulted, optional, path, section } from '../kinds.ts';

export const policySchema = section(
  {
    dir: optional(path({ description: 'Rego, data and catalogs; compiled at start' })),
    bundle: optional(path({ description: 'a bundle made by `sluice build` or `opa build -t wasm`' })),
    watch: defaulted(Type.Boolean({ description: 'load it anew when it changes' }), true),
  },
  { one_of: ['dir', 'bundle'], description: 'the rules' },
);

export type PolicySection = Static<typeof policySchema>;
