/** The page of a data subject, in Chinese and English. It works without scripts, and loads nothing. Everything that is not of this file is escaped. */
import { createHash } from 'node:crypto';
import { categoryWords, purposeWords, recipientWords, type Words } from '../../model/plain-words.ts';

export interface PageConsent {
  readonly purpose: string;
  readonly recipient: string;
  readonly categories: readonly string[];
  readonly since: string | null;
  readonly until: string | null;
}

export interface PageRequest {
  readonly kind: string;
  readonly state: string;
  readonly requested_at: string;
  readonly due_at: string;
}

export interface PageContent {
  readonly csrf: string;
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
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; margin: 0 auto; max-width: 42rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid; }
ul { list-style: none; padding: 0; } li { border: 1px solid; border-radius: .5rem; padding: .75rem; margin: .75rem 0; }
[lang="en"] { opacity: .8; }
button, select { font: inherit; min-height: 2.75rem; padding: .4rem .9rem; max-width: 100%; }
label { display: block; margin: .5rem 0; }
.done { border: 2px solid; padding: .75rem; }
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

const both = (zh: string, en: string): string =>
  zh === en ? text(zh) : `${text(zh)} <span lang="en">${text(en)}</span>`;
const words = ({ zh, en }: Words): string => both(zh, en);

const DONE: Readonly<Record<string, readonly [string, string]>> = {
  withdrawn: ['已撤回同意。', 'Your consent is withdrawn.'],
  objected: ['已记录您的反对。', 'Your objection is recorded.'],
  allowed: ['已取消反对。', 'Your objection is lifted.'],
  requested: ['已收到您的请求。', 'Your request is recorded.'],
  unchanged: ['没有变化。', 'Nothing has changed.'],
};

const KINDS: Readonly<Record<string, readonly [string, string]>> = {
  access: ['查阅个人信息', 'Access to your data'],
  erasure: ['删除个人信息', 'Deletion of your data'],
  restriction: ['限制处理', 'Restriction of processing'],
};
const STATES: Readonly<Record<string, readonly [string, string]>> = {
  requested: ['已提出', 'made'],
  in_progress: ['处理中', 'in progress'],
  completed: ['已完成', 'completed'],
  partly: ['已完成，部分信息依法保留', 'completed; some data must be kept by law'],
  rejected: ['未获准许', 'not granted'],
};

const named = (table: Readonly<Record<string, readonly [string, string]>>, name: string): string =>
  Object.hasOwn(table, name) ? both(...table[name]!) : text(name);

const day = (moment: string): string => text(moment.slice(0, 10));

export function page(content: PageContent): string {
  const { given, withdrawn, objections, purposes, requests, takesRequests, done } = content;
  const isOut = objections.includes('*');
  return frame(
    `${done !== null && Object.hasOwn(DONE, done) ? `<p class="done" role="status">${named(DONE, done)}</p>` : ''}
<section aria-labelledby="given"><h2 id="given">${both('您已同意', 'You have agreed to')}</h2>
${given.length === 0 ? NOTHING : `<ul>${given.map((consent) => `<li>${described(consent)}${form('withdraw', content, { purpose: consent.purpose, recipient: consent.recipient }, button('撤回同意', 'Withdraw', consent))}</li>`).join('\n')}</ul>`}</section>
${withdrawn.length === 0 ? '' : `<section aria-labelledby="withdrawn"><h2 id="withdrawn">${both('您已拒绝或撤回', 'You have refused or withdrawn')}</h2><ul>${withdrawn.map((consent) => `<li>${described(consent)}</li>`).join('\n')}</ul></section>`}
<section aria-labelledby="objections"><h2 id="objections">${both('反对某种用途', 'Object to a purpose')}</h2>
${isOut ? `<p>${both('您反对一切无需同意的使用。', 'You object to every use that needs no consent.')}</p>` : ''}
${
  objections.filter((name) => name !== '*').length === 0
    ? ''
    : `<ul>${objections
        .filter((name) => name !== '*')
        .map(
          (name) =>
            `<li>${words(purposeWords(name))}${form('allow', content, { purpose: name }, button('取消反对', 'Lift'))}</li>`,
        )
        .join('\n')}</ul>`
}
${purposes.length === 0 ? '' : form('object', content, {}, `<label>${both('用途', 'Purpose')}<br><select name="purpose" required>${purposes.map((name) => `<option value="${text(name)}">${text(`${purposeWords(name).zh} · ${purposeWords(name).en}`)}</option>`).join('')}</select></label>${button('反对', 'Object')}`)}</section>
${takesRequests ? asked(content) : ''}
${requests.length === 0 ? '' : `<section aria-labelledby="requests"><h2 id="requests">${both('您的请求', 'Your requests')}</h2><ul>${requests.map((r) => `<li>${named(KINDS, r.kind)}: ${named(STATES, r.state)}<br>${both('提出于', 'made on')} ${day(r.requested_at)}${r.state === 'requested' || r.state === 'in_progress' ? `, ${both('最迟', 'due on')} ${day(r.due_at)}` : ''}</li>`).join('\n')}</ul></section>`}
<section><h2>${both('离开', 'Leave')}</h2>${form('end', content, {}, button('关闭此页面', 'Close this page'))}</section>`,
  );
}

const asked = (content: PageContent): string =>
  `<section aria-labelledby="ask"><h2 id="ask">${both('提出请求', 'Make a request')}</h2>
${form('request', content, { kind: 'access' }, `<p>${both('我们将告知您：谁在何时、为何种目的使用了您的信息。', 'We will tell you who has received your data, when and why.')}</p>${button('申请查阅', 'Ask for access')}`)}
${form('request', content, { kind: 'erasure' }, `<p>${both('自提出起，您的信息将停止提供。法律要求保存的部分除外。', 'From now on your data is no longer disclosed. What the law demands is kept.')}</p><label><input type="checkbox" name="sure" value="yes" required> ${both('我确认申请删除', 'I am sure')}</label>${button('申请删除', 'Ask for deletion')}`)}</section>`;

/** Any other page: a link that is not valid, too many requests, a failure. */
export const notice = (zh: string, en: string): string =>
  frame(`<p role="alert">${text(zh)}</p><p role="alert" lang="en">${text(en)}</p>`);

const frame = (body: string): string => `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>个人信息设置 · Your data</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>个人信息设置 <span lang="en">Your data</span></h1>
${body}
</main>
</body>
</html>
`;

const NOTHING = `<p>${both('无', 'Nothing')}</p>`;

const described = ({ purpose, recipient, categories, since, until }: PageConsent): string =>
  `<strong>${words(purposeWords(purpose))}</strong><br>
${both('接收方', 'Recipient')}: ${words(recipientWords(recipient))}<br>
${both('信息', 'Data')}: ${categories.map((name) => words(categoryWords(name))).join(', ')}${since === null ? '' : `<br>${both('自', 'since')} ${day(since)}`}${until === null ? '' : `, ${both('至', 'until')} ${day(until)}`}`;

/** A button alone says too little to somebody who does not see what it stands beside. */
function button(zh: string, en: string, about?: PageConsent): string {
  const label =
    about === undefined
      ? ''
      : ` aria-label="${text(`${zh}：${purposeWords(about.purpose).zh}，${recipientWords(about.recipient).zh} ${en}`)}"`;
  return `<button type="submit"${label}>${both(zh, en)}</button>`;
}

const form = (
  action: string,
  { csrf }: PageContent,
  values: Readonly<Record<string, string>>,
  inner: string,
): string =>
  `<form method="post" action="${action}">${Object.entries({ csrf, ...values })
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${text(value)}">`)
    .join('')}${inner}</form>`;
