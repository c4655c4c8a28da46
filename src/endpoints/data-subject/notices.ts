/** What is said in place of the page. */
import { notice } from './html.ts';

const BACK = true;
export const NOTICES = {
  link: notice([
    '此链接无效或已过期。请向我们索取新的链接。',
    'This link is not valid, or its time is over. Please ask us for a new one.',
  ]),
  session: notice([
    '此页面没有打开，或已因超时关闭。请重新打开我们发给您的链接；如链接已失效，请向我们索取新的链接。',
    'This page is not open, or was closed after its time. Please open the link that we sent you again. If it no longer works, ask us for a new one.',
  ]),
  form: notice(
    [
      '您提交的页面已不是最新的，没有任何更改。请返回页面再试一次。',
      'The page that you sent is no longer the current one. Nothing was changed. Please go back and try again.',
    ],
    BACK,
  ),
  incomplete: notice(
    [
      '您的提交不完整，没有任何更改。请返回页面再试一次。',
      'Something is missing in what you sent. Nothing was changed. Please go back and try again.',
    ],
    BACK,
  ),
  often: notice([
    '操作过于频繁，请稍等几分钟再试。',
    'That was too often. Please wait some minutes and try again.',
  ]),
  failed: notice([
    '暂时无法处理，没有任何更改。请稍后再试。',
    'This does not work at the moment. Nothing was changed. Please try again later.',
  ]),
  closed: notice([
    '页面已关闭。您现在可以关闭此窗口。',
    'The page is closed. You can close this window now.',
  ]),
  none: notice(['没有此页面。', 'There is no such page.']),
  unreadable: notice(['请求无法读取。', 'The request cannot be read.']),
};
