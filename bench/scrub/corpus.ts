/** Call-centre notes with every span labelled. Written like the notes that staff type, not like the patterns that search them. */
import type { Entity } from '../../src/disclosure/treatments/scrub/span.ts';
import type { Random } from './random.ts';
import * as v from './values.ts';

export interface Labelled {
  readonly entity: Entity;
  readonly start: number;
  readonly end: number;
}
export interface Note {
  readonly text: string;
  readonly language: 'zh' | 'en';
  readonly spans: readonly Labelled[];
}

/** `{name}` and the like are replaced by values; all else stands as it is */
const CHINESE = [
  '客户姓名：{name}，手机：{mobile}，反映{decoy}迟迟未到。',
  '来电人{name}，联系电话{mobile}，身份证{id}，要求退款{decoy}。',
  '{name}先生来电咨询{decoy}，已告知3个工作日内处理。',
  '联系人：{name}\n电话：{landline}\n邮箱：{email}\n备注：{decoy}',
  '客户{name}投诉快递员态度差，{decoy}，回电{mobile}。',
  '收货人{name} {mobile} 广东省深圳市南山区科技园12栋3单元502，{decoy}',
  '已致电{name}女士确认，本人身份证号为{id}，卡号{card}。',
  '持卡人姓名{name}，卡号：{card}，有效期12/27，{decoy}。',
  '报案人：{name}（车牌{plate}），电话{mobile}，事故时间{decoy}。',
  '车主{name}，车牌号 {plate}，{decoy}，对方车牌{plate}。',
  '我叫{name}，我的手机是{mobile}，麻烦尽快联系。',
  '用户反馈页面打不开，{decoy}，请发邮件到{email}。',
  '{decoy}，{decoy}，已转二线。',
  '被保险人{name}的配偶{name}来电，证件号{id}，{decoy}。',
  '客户要求更换手机号，旧{mobile}新{mobile}。',
  '{decoy}已签收，签收人：{name}；座机{landline}无人接听。',
  '退款到尾号不对，正确卡号是{card}，户名{name}。',
  '投保人：{minority}，受益人：{name}，{decoy}',
  '感谢客户理解，{decoy}。高先生表示满意，金额方面没有问题。',
  '客户称商品质量有问题，要求换货，{decoy}。联系客户后客户已同意方案。',
  '紧急联系人 {name}，关系：父子，{mobile}',
  '乘客{name}的行李遗失，联系方式{mobile}，{decoy}',
  '请{name}女士携带身份证原件（{id}）到柜台，{decoy}。',
  '开户人:{name},开户行:工商银行,账号:{card},预留手机:{mobile}',
];
const ENGLISH = [
  'Name: {person}. Phone: {us}. Customer reports {decoy} was never delivered.',
  'Spoke with {person} re {decoy}; call back on {us}.',
  'Mr. {last} called about {decoy}. Email {email}.',
  'Caller {person} asked to move the appointment to 2024-03-12 14:30, {decoy}.',
  'Customer: {person}, card {card}, refund pending. {decoy}',
  'Contact person: {person} ({email}), {gb}.',
  'Mrs {last} was very upset: {decoy} arrived broken. Customer Service apologised.',
  'Product name: Blue Kettle, {decoy}. Customer Service will follow up on Monday.',
  'Please send the invoice to {email}, cc {email}. {decoy}',
  'My name is {person} and my number is {us}.',
  'Policyholder {person}, ID {id}, mobile {mobile}. {decoy}',
  'Dr. {person} requested records; {decoy}; paid with {card}.',
  'No answer at {us}, left voicemail. {decoy}.',
  'Beneficiary: {person}; spouse: {person}; {decoy}.',
  '{decoy}. {decoy}. Escalated to tier 2.',
  'Attn: {person}\nTel: {gb}\nRef: {decoy}',
  'Client wants a callback Tuesday morning, {decoy}, number on file {us}.',
];

const VALUES: { readonly [slot: string]: readonly [Entity | null, (r: Random) => string] } = {
  name: ['person_name', v.chineseName],
  minority: ['person_name', v.minorityName],
  person: ['person_name', v.englishName],
  last: ['person_name', v.englishSurname],
  mobile: ['phone', v.mobile],
  us: ['phone', v.american],
  gb: ['phone', v.british],
  landline: ['landline', v.landline],
  id: ['national_id', v.identityNumber],
  card: ['bank_card', v.bankCard],
  email: ['email', v.email],
  plate: ['plate', v.plate],
  decoy: [null, v.decoy],
};

function note(template: string, language: Note['language'], r: Random): Note {
  const spans: Labelled[] = [];
  let text = '';
  for (const part of template.split(/(\{[a-z]+\})/)) {
    const value = VALUES[part.slice(1, -1)];
    if (!part.startsWith('{') || value === undefined) {
      text += part;
      continue;
    }
    const [entity, make] = value;
    const made = make(r);
    if (entity !== null) {
      // brackets around an area code are part of the writing, not of the number
      const lead = /^[(（]/.test(made) ? 1 : 0;
      spans.push({ entity, start: text.length + lead, end: text.length + made.length });
    }
    text += made;
  }
  return { text, language, spans };
}

export const corpus = (r: Random, size: number): Note[] =>
  Array.from({ length: size }, () =>
    r.chance(0.6)
      ? note(CHINESE[r.below(CHINESE.length)]!, 'zh', r)
      : note(ENGLISH[r.below(ENGLISH.length)]!, 'en', r),
  );
