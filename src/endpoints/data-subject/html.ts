/** The page of a data subject, in Chinese or English. It works without scripts, and loads nothing. Everything that is not of this file is escaped. */
import { createHash } from 'node:crypto';
import { startOf } from '../../model/moment.ts';
import { categoryWords, purposeWords, recipientWords, type Words } from '../../model/plain-words.ts';

export type Language = 'zh' | 'en';

/** What was agreed to, or refused, for one purpose and recipient: it is withdrawn together. */
export interface PageConsent {
  readonly purpose: string;
  readonly recipient: string;
  readonly parts: readonly PageConsentPart[];
}

export interface PageConsentPart {
  readonly categories: readonly string[];
  readonly since: string | null;
  readonly until: string | null;
  /** it begins later */
  readonly isPending: boolean;
}

export interface PageRequest {
  readonly kind: string;
  readonly state: string;
  readonly requested_at: string;
  readonly due_at: string;
}

export interface PageContent {
  readonly language: Language;
  readonly csrf: string;
  /** IANA name */
  readonly timeZone: string;
  readonly given: readonly PageConsent[];
  readonly withdrawn: readonly PageConsent[];
  /** purposes that the person objects to; `*`: all */
  readonly objections: readonly string[];
  /** purposes that the person may object to */
  readonly purposes: readonly string[];
  readonly requests: readonly PageRequest[];
  /** requests can be made here */
  readonly takesRequests: boolean;
  readonly done: string | null;
}

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f6f8; --card: #fff; --text: #1b2530; --soft: #4d5b69; --line: #ccd4dc; --accent: #0b57a4; --on-accent: #fff; --good: #e6f4ea; --good-line: #2e7d4f; --danger: #a3271b; }
@media (prefers-color-scheme: dark) { :root { --ground: #12171c; --card: #1c242c; --text: #e8edf2; --soft: #a9b5c1; --line: #3b4854; --accent: #8cc1ff; --on-accent: #0a1c30; --good: #16301f; --good-line: #6fc48d; --danger: #ff9d92; } }
* { box-sizing: border-box; }
body { font: 1rem/1.6 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; color: var(--text); background: var(--ground); margin: 0; overflow-wrap: anywhere; }
header, main { margin: 0 auto; max-width: 44rem; padding: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; justify-content: space-between; padding-bottom: 0; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0; } h2 { font-size: 1.15rem; margin: 0 0 .5rem; } h3 { font-size: 1rem; margin: 0 0 .25rem; }
p { margin: 0 0 .75rem; } .intro, .soft, dt { color: var(--soft); }
a { color: var(--accent); display: inline-block; padding: .6rem 0; }
section, .note { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem; margin: 0 0 1rem; }
ul { list-style: none; padding: 0; margin: 0; } li, form + form { border-top: 1px solid var(--line); padding: .9rem 0; } li:first-child { border-top: 0; padding-top: 0; } li:last-child { padding-bottom: 0; } form + form { margin-top: 1rem; padding-bottom: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .75rem; margin: 0 0 .75rem; } dd { margin: 0; }
.state { display: inline-block; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; font-size: .875rem; color: var(--soft); }
button, select { font: inherit; min-height: 2.75rem; padding: .4rem 1.1rem; max-width: 100%; border-radius: .5rem; border: 1px solid var(--accent); background: var(--card); color: var(--accent); }
button { cursor: pointer; } button.main { background: var(--accent); color: var(--on-accent); } button.danger { border-color: var(--danger); color: var(--danger); }
select { color: var(--text); border-color: var(--soft); width: 100%; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
label { display: block; margin: 0 0 .75rem; } input { width: 1.25rem; height: 1.25rem; vertical-align: -.2rem; margin: 0 .4rem 0 0; accent-color: var(--accent); }
.done { background: var(--good); border-color: var(--good-line); border-left-width: .4rem; font-weight: 600; }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing is loaded, run, framed, or sent elsewhere. */
export const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const text = (value: string): string => value.replace(/[&<>"']/g, (c) => ESCAPES[c]!);

/** The words of one language. */
type Say = (zh: string, en: string) => string;
const sayIn =
  (language: Language): Say =>
  (zh, en) =>
    text(language === 'zh' ? zh : en);
const words = (say: Say, { zh, en }: Words): string => say(zh, en);

type Table = Readonly<Record<string, readonly [string, string]>>;

const DONE: Table = {
  withdrawn: ['已撤回同意。', 'Your consent is withdrawn.'],
  objected: ['已记录您的拒绝。', 'Your objection is recorded.'],
  allowed: ['已取消拒绝。', 'Your objection is lifted.'],
  requested: ['已收到您的请求。', 'We have received your request.'],
  known: ['我们已收到过此请求，正在处理。', 'We have this request already, and work on it.'],
  unchanged: ['没有变化。', 'Nothing has changed.'],
};

const KINDS: Table = {
  access: ['查阅个人信息', 'Access to your data'],
  erasure: ['删除个人信息', 'Deletion of your data'],
  restriction: ['限制处理个人信息', 'Restriction of processing'],
};
const STATES: Table = {
  requested: ['已提出', 'received'],
  in_progress: ['处理中', 'in progress'],
  completed: ['已完成', 'completed'],
  partly: ['已完成，部分信息依法保留', 'completed; some data must be kept by law'],
  rejected: ['未获准许', 'not granted'],
  lifted: ['已完成；您此后再次成为客户', 'completed; you have become a customer again since'],
};

const named = (say: Say, table: Table, name: string): string =>
  Object.hasOwn(table, name) ? say(...table[name]!) : text(name);

/** A day stays as it was said; a moment is told as the clocks of the zone show it. */
function when(moment: string, timeZone: string): string {
  const at = startOf(moment);
  if (moment.length === 10 || Number.isNaN(at)) return `<time>${text(moment.slice(0, 10))}</time>`;
  // The format of Sweden is that of ISO 8601.
  const shown = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return `<time>${text(shown.format(at))}</time>`;
}

const section = (id: string, title: string, body: string): string =>
  `<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>\n${body}</section>`;
const list = (items: readonly string[]): string =>
  `<ul>${items.map((item) => `<li>${item}</li>`).join('\n')}</ul>`;

export function page(content: PageContent): string {
  const { language, given, withdrawn, requests, takesRequests, done, timeZone } = content;
  const say = sayIn(language);
  const told =
    done !== null && Object.hasOwn(DONE, done)
      ? `<p class="note done" role="status">${named(say, DONE, done)}</p>`
      : '';
  const agreed =
    given.length === 0
      ? `<p>${say('目前没有您同意的事项。', 'There is nothing that you have agreed to.')}</p>`
      : list(given.map((consent) => described(say, consent, timeZone) + withdrawal(say, content, consent)));
  const refused =
    withdrawn.length === 0
      ? ''
      : section(
          'withdrawn',
          say('您已拒绝或撤回', 'You have refused or withdrawn'),
          list(withdrawn.map((consent) => described(say, consent, timeZone))),
        );
  const made =
    requests.length === 0
      ? ''
      : section(
          'requests',
          say('您的请求', 'Your requests'),
          list(requests.map((request) => requested(say, request, timeZone))),
        );
  return frame(
    language,
    `${told}
<p class="intro">${say('您可以在此查看您同意的个人信息使用情况，撤回同意，拒绝某种用途，或申请查阅、删除个人信息。更改立即生效。', 'Here you see what you have agreed to. You can withdraw it, object to a purpose, and ask for access to your data or for its deletion. Changes take effect at once.')}</p>
${section('given', say('您已同意', 'You have agreed to'), agreed)}
${refused}
${section('objections', say('拒绝某种用途', 'Object to a purpose'), objected(say, content))}
${takesRequests ? section('ask', say('提出请求', 'Make a request'), asked(say, content)) : ''}
${made}
<p class="soft">${say(`日期和时间按时区 ${text(timeZone)} 显示。`, `Dates and times are those of the time zone ${text(timeZone)}.`)}</p>
${section('leave', say('离开', 'Leave'), form('end', content, {}, button(say('关闭此页面', 'Close this page'))))}`,
  );
}

const withdrawal = (say: Say, content: PageContent, consent: PageConsent): string => {
  const { purpose, recipient } = consent;
  const [p, r] = [purposeWords(purpose), recipientWords(recipient)];
  // A button alone says too little to somebody who does not see what it stands beside.
  const label = say(`撤回同意：${p.zh}，${r.zh}`, `Withdraw: ${p.en}, ${r.en}`);
  return form(
    'withdraw',
    content,
    { purpose, recipient },
    button(say('撤回同意', 'Withdraw'), 'danger', label),
  );
};

function objected(say: Say, content: PageContent): string {
  const { objections, purposes } = content;
  const single = objections.filter((name) => name !== '*');
  const lift = (name: string): string => {
    const p = purposeWords(name);
    const label = say(`取消拒绝：${p.zh}`, `Lift the objection: ${p.en}`);
    return `<h3>${words(say, p)}</h3>${form('allow', content, { purpose: name }, button(say('取消拒绝', 'Lift the objection'), '', label))}`;
  };
  const options = purposes.map(
    (name) => `<option value="${text(name)}">${words(say, purposeWords(name))}</option>`,
  );
  return `${objections.includes('*') ? `<p>${say('您已拒绝一切无需您同意的使用。', 'You object to every use that needs no consent.')}</p>` : ''}
${single.length === 0 ? '' : `<p>${say('您已拒绝以下用途：', 'You object to:')}</p>${list(single.map(lift))}`}
${
  options.length === 0
    ? ''
    : `<p>${say('您的信息将不再为您所选的用途提供。', 'Your data is no longer disclosed for the purpose that you choose.')}</p>${form('object', content, {}, `<label>${say('用途', 'Purpose')}<br><select name="purpose" required>${options.join('')}</select></label>${button(say('拒绝此用途', 'Object'))}`)}`
}`;
}

const asked = (say: Say, content: PageContent): string =>
  `${form('request', content, { kind: 'access' }, `<p>${say('我们将告知您：谁在何时、为何种目的使用了您的信息。', 'We will tell you who has received your data, when and why.')}</p>${button(say('申请查阅', 'Ask for access'), 'main')}`)}
${form('request', content, { kind: 'erasure' }, `<p>${say('自您提出申请起，您的信息不再对外提供。法律要求保存的信息将继续保存。', 'As soon as you ask, your data is no longer disclosed. What the law demands is kept.')}</p><label><input type="checkbox" name="sure" value="yes" required>${say('我确认申请删除我的个人信息', 'I am sure that I want my data deleted')}</label>${button(say('申请删除', 'Ask for deletion'), 'danger')}`)}`;

const requested = (say: Say, { kind, state, requested_at, due_at }: PageRequest, timeZone: string): string =>
  `<h3>${named(say, KINDS, kind)} <span class="state">${named(say, STATES, state)}</span></h3><p class="soft">${say('提出日期', 'Made on')} ${when(requested_at, timeZone)}${
    state === 'requested' || state === 'in_progress'
      ? `${say('，最迟办结日期', ', to be done by')} ${when(due_at, timeZone)}`
      : ''
  }</p>`;

export type Notice = readonly [zh: string, en: string];

/** Any other page: a link that is not valid, too many requests, a failure. Whoever reads it may have chosen no language yet. @param back a way back to the page */
export const notice = ([zh, en]: Notice, back = false): string => {
  const way = (title: string): string => (back ? `<br><a href="./">${title}</a>` : '');
  return frame(
    'zh',
    `<div class="note" role="alert"><p>${text(zh)}${way('返回页面')}</p><p lang="en">${text(en)}${way('Back to the page')}</p></div>`,
    false,
  );
};

const frame = (language: Language, body: string, switches = true): string => {
  const [code, title, other] =
    language === 'zh'
      ? ['zh-CN', '个人信息设置', '<a href="./?lang=en" lang="en" hreflang="en">English</a>']
      : ['en', 'Your data', '<a href="./?lang=zh" lang="zh-CN" hreflang="zh-CN">中文</a>'];
  return `<!doctype html>
<html lang="${code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${switches ? title : '个人信息设置 · Your data'}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${switches ? title : '个人信息设置 <span lang="en">Your data</span>'}</h1>${switches ? `<nav aria-label="语言 Language">${other}</nav>` : ''}</header>
<main>
${body}
</main>
</body>
</html>
`;
};

const described = (say: Say, { purpose, recipient, parts }: PageConsent, timeZone: string): string =>
  `<h3>${words(say, purposeWords(purpose))}</h3><dl><dt>${say('接收方', 'Recipient')}</dt><dd>${words(say, recipientWords(recipient))}</dd>${parts.map((part) => partly(say, part, timeZone)).join('')}</dl>`;

const partly = (
  say: Say,
  { categories, since, until, isPending }: PageConsentPart,
  timeZone: string,
): string => {
  const dates = [
    ...(since === null ? [] : [`${say('自', 'from')} ${when(since, timeZone)}`]),
    ...(until === null ? [] : [`${say('至', 'until')} ${when(until, timeZone)}`]),
    ...(isPending ? [`<span class="state">${say('尚未生效', 'does not apply yet')}</span>`] : []),
  ];
  const data = categories.map((name) => words(say, categoryWords(name))).join(say('、', ', '));
  return `<dt>${say('信息', 'Data')}</dt><dd>${data}</dd>${dates.length === 0 ? '' : `<dt>${say('时间', 'Time')}</dt><dd>${dates.join(' ')}</dd>`}`;
};

const button = (title: string, look = '', label?: string): string =>
  `<button type="submit"${look === '' ? '' : ` class="${look}"`}${label === undefined ? '' : ` aria-label="${label}"`}>${title}</button>`;

const form = (
  action: string,
  { csrf, language }: PageContent,
  values: Readonly<Record<string, string>>,
  inner: string,
): string =>
  `<form method="post" action="${action}">${Object.entries({ csrf, lang: language, ...values })
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${text(value)}">`)
    .join('')}${inner}</form>`;
