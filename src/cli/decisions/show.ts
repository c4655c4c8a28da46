/** Shows one decision to an auditor: subject, purpose, consents, released fields, and whether the journal still holds it. */
import type { Agent } from '../../model/input.ts';
import type { PolicyInput } from '../../model/input.ts';
import pc from 'picocolors';
import type { Proof } from '../../decision-log/verify/proof.ts';
import type { Decision } from '../../decision-log/index/query.ts';
import { wrap } from '../text.ts';
import { plain, resourceOf, table } from './table.ts';

export function describeDecision(
  d: Decision,
  proofs: readonly Proof[],
  columns: number,
  colour: boolean,
): string {
  const c = pc.createColors(colour);
  const lines: string[] = [];
  const row = (title: string, text: string | null | undefined) => {
    if (text === null || text === undefined || text === '') return;
    const [first, ...more] = wrap(plain(text), Math.max(20, columns - 16)).split('\n');
    lines.push(`${c.bold(title.padEnd(15))} ${first}`, ...more.map((l) => ' '.repeat(16) + l));
  };
  lines.push(
    `${c.bold('Decision')} ${plain(d.decision_id)}   ${plain(d.timestamp)}   ${c.bold(d.outcome.toUpperCase())}`,
    '',
  );
  row('Who', who(d));
  row('Asked for', `${d.action ?? d.kind} ${resourceOf(d)}`);
  row('Resource id', d.resource?.id);
  row('How', how(d));
  row('Why', why(d));
  row('Justification', d.justification === null ? null : `“${d.justification}” (the subject’s own words)`);
  row('Grant', d.grant_id);
  row('Agent', d.agent === undefined ? null : agentText(d.agent));
  row('Claimed', d.claimed?.length ? `${d.claimed.join(', ')} (stated by the caller, not verified)` : null);
  row('Proof', proofIn(d.input));
  row('Reasons', d.reasons.map((r) => (r.message ? `${r.code}: ${r.message}` : r.code)).join(' · '));
  row('Policy', d.policy === null ? null : `${d.policy.bundle}, revision ${d.policy.revision}`);
  row('Upstream', d.upstream === null ? null : `${d.upstream.name}, ${d.upstream.status ?? 'no answer'}`);
  row(
    'Response',
    d.response === null
      ? null
      : `${d.response.status}${d.response.bytes === null ? '' : `, ${d.response.bytes} bytes`}`,
  );
  if (!d.complete) row('Unfinished', 'The last part of this answer is not recorded: it broke off.');
  if (d.disclosure !== null) disclosure(d.disclosure, row);
  row('Trace', d.trace_id);
  row(
    'Labels',
    Object.entries(d.labels)
      .map(([k, v]) => `${k}=${v}`)
      .join(', '),
  );
  lines.push('');
  if (d.disclosure !== null && d.disclosure.withheld.length > 0)
    lines.push(
      table(
        ['field', 'class', 'what was done', 'because', 'count'],
        d.disclosure.withheld.map((w) => [w.path, w.class ?? '–', w.do, w.because, String(w.count)]),
        columns,
      ),
    );
  for (const { position, intact, detail } of proofs) {
    const mark = intact ? c.green('✓') : c.red('✗');
    const part = position.part.number > 1 || !position.part.last ? `, part ${position.part.number}` : '';
    lines.push(`${mark} ${position.origin} ${position.seq}${part}: ${detail}`, `  ${position.hash}`);
  }
  return `${lines.join('\n')}\n`;
}

/** That the caller deals with the data subject; whom, stands in the record as a pseudonym. */
function proofIn(input: Decision['input']): string | null {
  const { subject_verification: proof } = (input as Partial<PolicyInput> | null)?.context ?? {};
  if (proof === undefined) return null;
  return `${proof.method}: ${proof.verified ? `deals with ${proof.data_subject ?? 'nobody'}` : (proof.failure ?? 'failed')}`;
}

function who(d: Decision): string {
  if (d.subject === null) return 'nobody: no credential was accepted';
  const p = d.subject.properties;
  const about = [
    p.roles?.length ? `roles ${p.roles.join(', ')}` : null,
    p.department ? `department ${p.department}` : null,
    p.organization ? `organization ${p.organization}` : null,
    p.clearance === null || p.clearance === undefined ? null : `clearance ${p.clearance}`,
    p.assurance?.amr?.length ? `signed in with ${p.assurance.amr.join(', ')}` : null,
  ].filter((x) => x !== null);
  return `${d.subject.type} ${d.subject.id}${about.length ? ` (${about.join('; ')})` : ''}`;
}

const how = (d: Decision): string | null =>
  d.request === null
    ? null
    : `${d.request.route ?? `${d.request.method} ${d.request.path ?? '(no route)'}`}${d.request.client_ip ? ` from ${d.request.client_ip}` : ''}`;

function why(d: Decision): string {
  if (d.purpose === null) return 'no purpose was given';
  const tier = d.tier === null ? '' : `, tier ${d.tier}`;
  return `${d.purpose}${tier}, for ${d.recipient ?? 'nobody named'}`;
}

function disclosure(
  d: NonNullable<Decision['disclosure']>,
  row: (title: string, text: string) => void,
): void {
  row('Records', `${d.records}${d.records_withheld ? `, ${d.records_withheld} withheld` : ''}`);
  row(
    'Withheld for',
    Object.entries(d.withheld_reasons ?? {})
      .map(([code, n]) => `${code} (${n})`)
      .join(', '),
  );
  row('Consents', d.consents?.length ? d.consents.join(', ') : 'none is named');
  row(
    'Data subjects',
    d.data_subjects.length > 12 ? `${d.data_subjects.length}; --json lists them` : d.data_subjects.join(' '),
  );
  row('Left as it was', d.released.length ? d.released.join('  ') : 'nothing');
}

/** Who acts for the subject, and through whom the request came to it. */
const agentText = ({ id, issuer, chain, properties }: Agent): string =>
  [
    `${id} (${properties.known_by}; ${issuer})`,
    ...chain.map((actor) => `for ${actor.id} (${actor.issuer})`),
  ].join(', ');
