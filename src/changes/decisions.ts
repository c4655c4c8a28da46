/** Questions of auditors to the decision log, by the admin API. */
import type { OpenDecisionLog } from '../decision-log/decision-log.ts';

export type DecisionQuestions = OpenDecisionLog['audit'];
