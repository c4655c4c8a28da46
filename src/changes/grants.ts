/** Access requests and grants: what they ask for is measured by the policy in force. */
import type { Change, GrantRow, GrantState, GrantStore, Wanted } from '../grants/index.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { type Facts, type Recorder, recorded } from './change.ts';
import type { OperationName } from '../model/operations.ts';
import { grantJson, listedGrantJson } from './spelled.ts';

type Policy = Pick<PolicySnapshot, 'data' | 'catalogs'>;
/** Tier and grade are the policy's. */
export type Asked = Omit<Wanted, 'tier' | 'grade'>;
type Scope = Pick<Wanted, 'purpose' | 'resource' | 'categories'>;

export interface GrantChanges extends Pick<GrantStore, 'list' | 'show'> {
  /** @throws as `GrantStore.request`; `grant_invalid` for a scope that no grant can open */
  request(asked: Asked, recorder: Recorder): ReturnType<GrantStore['request']>;
  /** @throws as `GrantStore.breakGlass`; `grant_invalid` */
  breakGlass(asked: Asked, recorder: Recorder): Promise<GrantRow>;
  /** in the state that it has now */
  json(grant: GrantRow): ReturnType<typeof grantJson>;
  listedJson(grant: GrantRow): ReturnType<typeof listedGrantJson>;
  /** @throws as the functions of `GrantStore` */
  approve(id: string, note: string | null, recorder: Recorder): Promise<GrantRow>;
  reject(id: string, note: string | null, recorder: Recorder): Promise<GrantRow>;
  revoke(id: string, note: string | null, recorder: Recorder): Promise<GrantRow>;
}

export interface GrantChangeDependencies {
  readonly now: () => Date;
  /** of grants/ */
  readonly stateOf: (grant: GrantRow, now: number) => GrantState;
  readonly policy: () => Promise<Policy>;
  /** `scopeOf` of grants/ */
  readonly scopeOf: (policy: Policy, scope: Scope) => Pick<Wanted, 'tier' | 'grade'>;
}

interface Happened {
  readonly what: Parameters<Change['journaled']>[0];
  readonly grant: GrantRow;
}

export function grantChanges(
  grants: GrantStore,
  { policy, scopeOf, stateOf, now }: GrantChangeDependencies,
): GrantChanges {
  const change = <T>(
    operation: OperationName,
    note: string | null,
    recorder: Recorder,
    make: (change: Change) => Promise<T>,
  ): Promise<T> =>
    recorded<Happened, T>(
      recorder,
      (happened) => factsOf(operation, happened, note),
      (journaled) =>
        make({
          by: recorder.by,
          roles: recorder.roles,
          note,
          decision_id: recorder.decision_id,
          journaled: (what, grant, queries) => journaled({ what, grant }, queries),
        }),
    );
  const measured = async (asked: Asked): Promise<Wanted> => ({
    ...asked,
    ...scopeOf(await policy(), asked),
  });
  return {
    json: (grant) => grantJson(grant, stateOf(grant, now().getTime())),
    listedJson: (grant) => listedGrantJson(grant, stateOf(grant, now().getTime())),
    list: (filter) => grants.list(filter),
    show: (id) => grants.show(id),
    async request(asked, recorder) {
      const wanted = await measured(asked);
      return change('grants.request', null, recorder, (by) => grants.request(wanted, by));
    },
    async breakGlass(asked, recorder) {
      const wanted = await measured(asked);
      return change('grants.break_glass', null, recorder, (by) => grants.breakGlass(wanted, by));
    },
    approve: (id, note, recorder) => change('grants.approve', note, recorder, (by) => grants.approve(id, by)),
    reject: (id, note, recorder) => change('grants.reject', note, recorder, (by) => grants.reject(id, by)),
    revoke: (id, note, recorder) => change('grants.revoke', note, recorder, (by) => grants.revoke(id, by)),
  };
}

/** The ids of a scope are not recorded: the store has them, by the id of the grant. */
const factsOf = (operation: OperationName, { what, grant }: Happened, note: string | null): Facts => ({
  kind: 'grant',
  operation,
  reasons: [{ code: `grant_${what}` }],
  ...(grant.resource === null ? {} : { resource: { type: grant.resource, properties: {} } }),
  purpose: grant.purpose,
  tier: grant.tier,
  justification: note ?? grant.justification,
  grantId: grant.id,
  labels: { holder: grant.subject },
});
