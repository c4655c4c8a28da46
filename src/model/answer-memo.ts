/**
 * The last answer of the policy to a question that is repeated: of two questions with one memo, at most the resource's id and properties, the
 * tier, the time, the client's address and the grants differ. The policy snapshot fills it in, and reuses the answer while nothing that its rules read differs.
 */
export class AnswerMemo<A> {
  answer: A | null = null;
  /** what gave the answer; null: nothing yet */
  by: object | null = null;
  /** the time step in which it is valid; null: any */
  step: number | null = null;
  /** the tier in force, which follows from another answer */
  tier: number | null = null;
  /** what of the question the answer may depend on, besides the time: undefined or null where the rules do not read it */
  id: string | undefined = undefined;
  properties: object | null = null;
  clientIp: string | null = null;
}
