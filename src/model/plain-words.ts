/** Words for customers, in Chinese and English, for the purposes and categories of the default policy. A name that is not here is shown as it is. */

export interface Words {
  readonly zh: string;
  readonly en: string;
}

const w = (zh: string, en: string): Words => ({ zh, en });

const PURPOSES: Readonly<Record<string, Words>> = {
  after_sales: w('售后服务', 'After-sales service'),
  order_processing: w('订单受理与变更', 'Taking and changing orders'),
  delivery: w('商品配送', 'Delivering goods'),
  claims: w('理赔处理', 'Settling claims'),
  underwriting: w('核保', 'Assessing a risk before a contract'),
  onboarding: w('开户登记', 'Registering a new customer'),
  emergency: w('紧急救助', 'Emergency: life or limb is at risk'),
  market_research: w('市场调研', 'Research into what customers like'),
  service_quality: w('服务质量改进', 'Measuring and improving the service'),
  marketing: w('营销推广', 'Offers'),
  fraud_investigation: w('欺诈调查', 'Investigating a suspected fraud'),
  compliance_audit: w('合规审计', 'Checking that the rules are kept'),
  data_subject_request: w('处理个人信息权利请求', 'Answering a request about your data'),
  system_sync: w('内部系统同步', 'Keeping internal systems in step'),
  '*': w('所有目的', 'Every purpose'),
};

const CATEGORIES: Readonly<Record<string, Words>> = {
  reference: w('编号', 'Reference numbers'),
  identity: w('身份信息', 'Who you are'),
  contact: w('联系方式', 'How to reach you'),
  emergency_contact: w('紧急联系人', 'Emergency contact'),
  transaction: w('保单、理赔与订单', 'Policies, claims, orders'),
  financial: w('银行与支付信息', 'Bank and payment'),
  preference: w('偏好', 'Preferences'),
  health: w('健康信息', 'Health'),
  staff: w('员工通讯录', 'Staff directory'),
  free_text: w('员工备注', 'Notes of staff'),
  '*': w('全部信息', 'All data'),
};

const named = (words: Readonly<Record<string, Words>>, name: string): Words =>
  Object.hasOwn(words, name) ? words[name]! : { zh: name, en: name };

export const purposeWords = (name: string): Words => named(PURPOSES, name);
export const categoryWords = (name: string): Words => named(CATEGORIES, name);
export const recipientWords = (name: string): Words =>
  name === 'internal'
    ? w('本公司', 'Our company')
    : name === '*'
      ? w('所有接收方', 'Every recipient')
      : w(name, name);
