/** The statement for a data subject as a page that can be printed: Chinese and English, without scripts or anything from elsewhere. */
import { escaped as text } from '../../reports/chart.ts';
import type { Statement, StatementEntry } from '../../decision-log/statement.ts';
import { categoryWords, purposeWords, recipientWords, type Words } from '../../model/plain-words.ts';

const both = ({ zh, en }: Words): string =>
  zh === en ? text(zh) : `${text(zh)}<br><span lang="en">${text(en)}</span>`;

const ACTIONS: Readonly<Record<string, Words>> = {
  read: { zh: '查看', en: 'viewed' },
  search: { zh: '查询', en: 'searched' },
  export: { zh: '导出', en: 'exported' },
  create: { zh: '新增', en: 'created' },
  update: { zh: '修改', en: 'changed' },
  delete: { zh: '删除', en: 'deleted' },
};

const CHANGES: Readonly<Record<string, Words>> = {
  consent_given: { zh: '同意', en: 'consent given' },
  consent_withdrawn: { zh: '撤回同意', en: 'consent withdrawn' },
  consent_flags: { zh: '处理限制标记变更', en: 'marks changed' },
  consent_aliases: { zh: '标识变更', en: 'identifiers changed' },
  erasure_requested: { zh: '提出请求', en: 'request made' },
  erasure_accepted: { zh: '请求已受理', en: 'request accepted' },
  erasure_held: { zh: '依法保留部分信息', en: 'some data must be kept' },
  erasure_released: { zh: '不再依法保留', en: 'need no longer be kept' },
  erasure_confirmed: { zh: '系统已确认删除', en: 'deletion confirmed by a system' },
  erasure_failed: { zh: '删除尚未确认', en: 'deletion not confirmed yet' },
  erasure_completed: { zh: '请求已完成', en: 'request completed' },
  erasure_lifted: { zh: '再次成为客户', en: 'a customer again' },
  erasure_rejected: { zh: '请求未获准许', en: 'request not granted' },
};

/** Content of records that the log had. */
interface Removed {
  readonly at: string;
  readonly records: number;
  readonly basis: string;
}

export function statementPage(statement: Statement & { readonly removed: readonly Removed[] }): string {
  const { data_subject, since, until, disclosures, changes, removed } = statement;
  return `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>个人信息提供情况说明 · Statement of disclosures</title>
<style>
body { font: 14px/1.5 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #111; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; } th, td { border: 1px solid #888; padding: .35em .5em; text-align: left; vertical-align: top; }
thead { display: table-header-group; } tr { break-inside: avoid; } [lang="en"] { color: #444; }
@page { margin: 18mm; } @media print { body { margin: 0; max-width: none; } }
</style>
</head>
<body>
<h1>个人信息提供情况说明<br><span lang="en">Statement of disclosures</span></h1>
<p>个人信息主体 <span lang="en">Data subject</span>: <strong>${text(data_subject)}</strong><br>
期间 <span lang="en">Period</span>: ${since === null ? '记录开始 <span lang="en">(beginning of the records)</span>' : time(since)} – ${time(until)}（UTC）</p>
<p>本说明依据决策日志生成，列明谁在何时、为何种目的获得了您的哪些类别的个人信息。日志不记录信息内容本身。<br>
<span lang="en">This statement is made from the decision log. It says who received which kinds of your data, when and why. The log does not hold the data itself.</span></p>
<h2>提供情况 <span lang="en">Disclosures</span> (${disclosures.length})</h2>
${disclosures.length === 0 ? NONE : table(['时间', 'Time'], ['接收方', 'Recipient'], ['目的', 'Purpose'], ['信息类别', 'Kinds of data'], ['方式', 'How'])(disclosures.map(row))}
<h2>您的选择与请求 <span lang="en">Your choices and requests</span> (${changes.length})</h2>
${
  changes.length === 0
    ? NONE
    : table(
        ['时间', 'Time'],
        ['事项', 'What'],
      )(
        changes.map(({ at, what }) => [
          time(at),
          what.map((code) => both(CHANGES[code] ?? { zh: code, en: code })).join('<br>'),
        ]),
      )
}
${removed.length === 0 ? '' : removedContent(removed)}<p>“部分隐去”：所提供的内容经过遮盖、概括或假名化。“含他人”：该次查询同时涉及其他人，所列类别为整次查询的类别。<br>
<span lang="en">“Disguised”: masked, generalized or pseudonymized. “With others”: the answer was about other people, too, and the kinds are those of the whole answer.</span></p>
</body>
</html>
`;
}

const removedContent = (
  removed: readonly Removed[],
): string => `<h2>已删除的记录 <span lang="en">Removed records</span></h2>
<p>日志中下列数量的记录的内容已依据所列理由删除，其中可能包括涉及您的记录。本说明不包含这些记录。<br>
<span lang="en">The content of these numbers of records of the log was removed. Some of them may have been about you. This statement is without them.</span></p>
${table(
  ['时间', 'Time'],
  ['记录数', 'Records'],
  ['依据', 'Basis'],
)(removed.map(({ at, records, basis }) => [time(at), String(records), text(basis)]))}
`;

const NONE = '<p>无 <span lang="en">None</span></p>';

const table =
  (...head: readonly (readonly [string, string])[]) =>
  (rows: readonly (readonly string[])[]): string =>
    `<table><thead><tr>${head.map(([zh, en]) => `<th scope="col">${both({ zh, en })}</th>`).join('')}</tr></thead><tbody>\n${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('\n')}\n</tbody></table>`;

function row(entry: StatementEntry): readonly string[] {
  const { at, recipient, organization, department, roles, purpose, categories, action } = entry;
  const who = [department, ...roles].filter((name) => name !== null).join(', ');
  const from = recipient ?? organization ?? '–';
  const kinds = Object.entries(categories).map(([name, is]) => {
    const { zh, en } = categoryWords(name);
    return is === 'plain'
      ? both({ zh, en })
      : both({ zh: `${zh}（部分隐去）`, en: `${zh === en ? '' : `${en} `}(disguised)` });
  });
  const notes = [
    ...(entry.is_shared ? [{ zh: '含他人', en: 'with others' }] : []),
    ...(entry.may_be_withheld ? [{ zh: '您的信息可能未提供', en: 'yours may have been withheld' }] : []),
  ];
  return [
    time(at),
    `${both(recipientWords(from))}${who === '' ? '' : `<br>${text(who)}`}`,
    purpose === null ? '–' : both(purposeWords(purpose)),
    kinds.join('<br>') || '–',
    [ACTIONS[action ?? ''] ?? { zh: action ?? '–', en: action ?? '–' }, ...notes].map(both).join('<br>'),
  ];
}

const time = (at: string): string => text(at.slice(0, 19).replace('T', ' '));
