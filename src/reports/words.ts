/** The texts of reports, in English and Chinese. `{name}` is replaced by a value. The file is long because it is one list. */
import type { Words } from '../model/plain-words.ts';

const w = (en: string, zh: string): Words => ({ en, zh });

const WORDS = {
  // of every report
  summary: w('Summary', '摘要'),
  limits: w('What this does not show', '本报告不能说明的内容'),
  arithmetic: w('How each finding was computed', '各项发现的计算过程'),
  total: w('Total', '合计'),
  others: w('others', '其他'),
  none: w('none', '无'),
  nobody: w('not authenticated', '未认证'),
  never: w('never in this log', '本日志中从未使用'),
  yes: w('yes', '是'),
  no: w('no', '否'),
  open: w('open', '待复核'),
  overdue: w('overdue', '已逾期'),
  more_rows: w(
    '{count} more rows (--rows, or --format csv)',
    '另有 {count} 行（使用 --rows 或 --format csv 查看）',
  ),
  removed_content: w('Removed content', '已删除的记录内容'),
  removed_note: w(
    'The content of these records of the log was removed; only their hashes are left. This report is without them, and what they were about is not known any more.',
    '日志中上述记录的内容已被删除，仅保留哈希值。本报告不包含这些记录，其涉及的内容已无法得知。',
  ),
  no_rows: w('None.', '无。'),
  period: w('Period', '期间'),
  beginning: w('beginning of the log', '日志起始'),
  now: w('now', '当前'),
  made: w('Made', '生成时间'),
  source: w('Source', '数据来源'),
  filter: w('Filter', '筛选条件'),
  decisions_read: w('Decisions read', '读取的决策数'),
  times_in: w('Times are in {zone}.', '时间均为 {zone} 时区。'),

  outcome_allowed: w('allowed', '允许'),
  outcome_modified: w('allowed in part', '部分允许'),
  outcome_observed: w('observed', '仅记录'),
  outcome_denied: w('refused', '拒绝'),
  outcome_error: w('failed', '失败'),

  // columns
  column_about: w('about', '对象'),
  column_action: w('action', '操作'),
  column_area: w('area', '领域'),
  column_basis: w('basis', '依据'),
  column_because: w('rule', '规则'),
  column_by: w('by', '操作人'),
  column_caller: w('caller', '访问者'),
  column_callers: w('callers', '访问者数'),
  column_check: w('check', '编号'),
  column_class: w('class', '数据类别'),
  column_clear: w('in clear', '明文提供'),
  column_customer: w('customer', '客户'),
  column_customers: w('customers', '客户数'),
  column_decision: w('decision', '决策编号'),
  column_decisions: w('decisions', '决策数'),
  column_department: w('department', '部门'),
  column_disguised: w('disguised', '脱敏提供'),
  column_due: w('due', '期限'),
  column_evidence: w('evidence', '证据'),
  column_fields: w('fields', '字段数'),
  column_finding: w('finding', '发现'),
  column_first: w('first', '首次'),
  column_grant: w('grant', '授权编号'),
  column_holder: w('holder', '被授权人'),
  column_hour: w('hour', '时段'),
  column_item: w('item', '审计事项'),
  column_justification: w('justification', '理由'),
  column_kind: w('kind', '类型'),
  column_last: w('last', '末次'),
  column_last_use: w('last use', '最近使用'),
  column_off: w('off-hours', '非工作时间'),
  column_opened: w('opened', '开启时间'),
  column_organization: w('organization', '机构'),
  column_other_customers: w('other customers', '涉及其他客户'),
  column_outcome: w('outcome', '结果'),
  column_partner: w('partner', '合作方'),
  column_places: w('values', '数据项数'),
  column_purpose: w('purpose', '目的'),
  column_purposes: w('purposes', '目的'),
  column_reason: w('reason', '原因'),
  column_recipient: w('recipient', '接收方'),
  column_records: w('records', '记录数'),
  column_refused: w('refused', '被拒绝'),
  column_resource: w('resource', '资源'),
  column_result: w('verdict', '结论'),
  column_rights: w('rights', '权限数'),
  column_role: w('role', '角色'),
  column_roles: w('roles', '角色'),
  column_score: w('deviations', '偏离倍数'),
  column_share: w('share', '占比'),
  column_state: w('state', '状态'),
  column_time: w('time', '时间'),
  column_treatment: w('treatment', '处理方式'),
  column_unused: w('unused', '未使用'),
  column_used: w('used', '已使用'),
  column_uses: w('uses', '使用次数'),
  column_usual: w('usual', '通常'),
  column_value: w('value', '数值'),
  column_verdict: w('verdict', '结论代码'),
  column_what: w('what', '事项'),
  column_when: w('when', '日期'),

  // access to one customer, access by one employee
  accesses_over_time: w('Requests over time', '访问随时间的分布'),
  by_caller: w('By caller', '按访问者'),
  each_access: w('Each request', '逐次访问'),
  classes_of_answer: w(
    'Classes are those of the whole answer: where it has other customers, not each class need be of this one.',
    '数据类别指整次应答的类别：若应答涉及其他客户，并非每一类别都属于该客户。',
  ),
  changes_about_customer: w('Consents and requests of the customer', '客户的同意与请求'),
  customer_summary: w(
    'Callers: {callers}; requests about this customer: {decisions}; refused: {refused}.',
    '访问者：{callers} 名；查询该客户：{decisions} 次；被拒绝：{refused} 次。',
  ),
  employee_summary: w(
    'Requests: {decisions}; customers: {customers}; refused: {refused}. Roles: {roles}.',
    '访问：{decisions} 次；客户：{customers} 名；被拒绝：{refused} 次。角色：{roles}。',
  ),
  by_hour: w('Requests by hour of the day', '按一天中的时段'),
  by_purpose: w('By purpose', '按目的'),
  by_class: w('Classes and treatments', '数据类别与处理方式'),
  by_customer: w('By customer', '按客户'),

  // refusals, redactions
  refusals_summary: w(
    'Requests: {decisions}; refused: {refused} ({share}).',
    '请求：{decisions} 次；被拒绝：{refused} 次（{share}）。',
  ),
  refusals_over_time: w('Refusals over time, by reason', '拒绝次数（按原因）'),
  withheld_over_time: w('Withheld or disguised values over time, by class', '未提供或脱敏的数据项（按类别）'),
  reasons_of_refusals: w('Reasons of refusals', '拒绝原因'),
  reasons_note: w(
    'A refusal may have several reasons, so that the shares may add up to more than 100 %.',
    '一次拒绝可能有多个原因，因此占比之和可能超过 100 %。',
  ),
  refused_callers: w('Callers that were refused', '被拒绝的访问者'),
  withheld_classes: w('Withheld or disguised classes', '未提供或脱敏的数据类别'),
  redactions_summary: w(
    'Values that were masked or removed: {places}, in answers: {decisions}.',
    '被遮盖或移除的数据项：{places} 个；应答：{decisions} 次。',
  ),
  redactions_over_time: w('Redacted values over time, by rule', '脱敏数据项（按规则）'),
  by_rule: w('By rule', '按规则'),
  by_hour_and_rule: w('Each hour', '逐小时'),

  // unused rights
  unused_summary: w(
    '{unused} of {rights} rights of the policy {revision} were not used in {days} days (since {since}).',
    '策略 {revision} 授予的 {rights} 项权限中，有 {unused} 项在 {days} 天内（自 {since} 起）未被使用。',
  ),
  log_shorter: w(
    'The log begins at {first}, so it does not cover {days} days: what is unused here may have been used before.',
    '日志起始于 {first}，未覆盖 {days} 天：此处列为未使用的权限此前可能曾被使用。',
  ),
  log_empty: w('The log has no request.', '日志中没有任何请求。'),
  by_role: w('By role', '按角色'),
  unused_rights: w('Unused rights', '未使用的权限'),
  unused_classes: w(
    'Classes that a right shows in clear, and that never left so',
    '有权明文查看但从未明文提供的数据类别',
  ),
  unused_classes_note: w(
    'Of rights that were used. A class that is never needed can be masked for the role.',
    '仅列已使用的权限。若某类别从不需要，可对该角色改为遮盖。',
  ),
  used_not_granted: w('Used, and not granted by this policy', '曾被使用但本策略并未授予'),
  used_not_granted_note: w(
    'By an earlier policy, a grant, or for callers that the matrix does not ask about.',
    '可能依据更早的策略或临时授权，或属于矩阵未涵盖的访问者。',
  ),
  unused_limits: w(
    'A right is a role, purpose, recipient, resource and action that the policy allows to callers who are as able as they can be (cleared, with a second factor, with a justification). A use counts for each role of the caller. A right for emergencies is meant to be unused.',
    '权限指策略对条件最充分的访问者（具有密级、双因素认证并说明理由）所允许的角色、目的、接收方、资源与操作的组合。一次使用计入访问者的每个角色。用于紧急情况的权限本应很少使用。',
  ),

  // break-glass
  break_glass_summary: w(
    'Grants without approval: {grants}; uses: {uses}. Requests for emergencies (tier 1): {emergencies}.',
    '未经审批的紧急授权：{grants} 次，使用 {uses} 次；紧急访问（第 1 级）：{emergencies} 次。',
  ),
  break_glass_grants: w('Grants without approval', '未经审批的紧急授权'),
  emergencies: w('Requests for emergencies', '紧急访问'),
  open_reviews: w('Open reviews', '尚未完成的复核'),
  reviews_summary: w(
    'Open reviews: {open}; overdue: {overdue}.',
    '尚未完成的复核：{open} 项；其中逾期：{overdue} 项。',
  ),
  reviews_unknown: w(
    'Reviews are in the store, and no configuration with a store was given (--config).',
    '复核记录保存在数据库中，而未提供含数据库的配置（--config）。',
  ),
  break_glass_limits: w(
    'Whether an emergency was one: a reviewer says so (sluice reviews list).',
    '紧急情况是否属实，由复核人认定（sluice reviews list）。',
  ),

  // partners
  partners_summary: w(
    'Partners: {partners}; decisions: {decisions}; distinct customers: {customers}.',
    '合作方：{partners} 个；决策：{decisions} 次；不同客户：{customers} 名。',
  ),
  partners_over_time: w('Decisions over time, by partner', '决策数（按合作方）'),
  by_partner: w('By partner', '按合作方'),
  by_partner_and_purpose: w('By partner and purpose', '按合作方与目的'),
  distinct_note: w(
    'A customer whose data went to two partners counts once in the total. Customers that only refused requests named are not among them (sluice decisions query --count-by recipient --distinct data-subject counts both).',
    '数据提供给两个合作方的客户在合计中只计一次。仅在被拒绝的请求中出现的客户不计入（sluice decisions query --count-by recipient --distinct data-subject 两者都计）。',
  ),

  // unusual
  unusual_summary: w(
    'Findings: {findings}. Callers that were compared: {callers}.',
    '发现：{findings} 项。参与比较的访问者：{callers} 名。',
  ),
  unusual_thresholds: w(
    'Unusual is what is more than {deviations} robust standard deviations above the median: customers in a day (from {least}), callers of one customer (from {callers}), share of requests outside of {begins}:00–{ends}:00 from Monday to Friday ({zone}); and {steps} steps of ids in order.',
    '超出中位数 {deviations} 倍稳健标准差以上即视为异常：单日客户数（不少于 {least}）、同一客户的访问者数（不少于 {callers}）、周一至周五 {begins}:00–{ends}:00 以外的访问占比（{zone}）；以及按编号顺序连续 {steps} 步。',
  ),
  findings: w('Findings', '发现'),
  own_history: w('customers in a day, against the caller’s own days', '单日客户数（与本人其他日期比较）'),
  role_history: w(
    'customers in a day, against callers with the same roles',
    '单日客户数（与同角色访问者比较）',
  ),
  off_hours: w('share of requests off-hours', '非工作时间访问占比'),
  many_callers: w('one customer looked up by many', '多人查询同一客户'),
  in_order: w('ids in order', '按编号顺序查询'),
  own_history_arithmetic: w(
    '{who} on {day}: {value} customers. The {count} other days of {who}: median {median}, MAD {mad}. ({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}.',
    '{who} 于 {day} 查询 {value} 名客户。{who} 其他 {count} 天：中位数 {median}，MAD {mad}。({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}。',
  ),
  role_history_arithmetic: w(
    '{who} on {day}: {value} customers. The median days of {count} other callers with the same roles: median {median}, MAD {mad}. ({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}.',
    '{who} 于 {day} 查询 {value} 名客户。同角色其他 {count} 名访问者各自的日中位数：中位数 {median}，MAD {mad}。({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}。',
  ),
  off_hours_arithmetic: w(
    '{who}: {off} of {decisions} requests off-hours = {value}. The shares of {count} other callers: median {median}, MAD {mad}. ({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}.',
    '{who}：{decisions} 次访问中有 {off} 次在非工作时间，占 {value}。其他 {count} 名访问者的占比：中位数 {median}，MAD {mad}。({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}。',
  ),
  many_callers_arithmetic: w(
    '{who}: looked up by {value} callers. Callers of each of {count} customers: median {median}, MAD {mad}. ({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}.',
    '{who}：被 {value} 名访问者查询。{count} 名客户各自的访问者数：中位数 {median}，MAD {mad}。({value} − {median}) ÷ max(1.4826 × {mad}, {floor}) = ({value} − {median}) ÷ {spread} = {score} > {threshold}。',
  ),
  in_order_value: w('{steps} steps', '{steps} 步'),
  in_order_usual: w('fewer than {steps}', '少于 {steps} 步'),
  in_order_arithmetic: w(
    '{who} looked up {from} … {to} from {begin} to {end}: {steps} steps of {step}, one after another; from {least} on it is a finding.',
    '{who} 于 {begin} 至 {end} 依次查询 {from} … {to}：连续 {steps} 步，每步 {step}；达到 {least} 步即列为发现。',
  ),
  off_hours_callers: w('Requests off-hours', '非工作时间访问'),
  unusual_limits: w(
    'MAD is the median of the distances from the median; 1.4826 × MAD estimates a standard deviation and is not moved by the extremes that are looked for. Less than five days, callers or customers are no history and are not compared. Holidays are not known. A finding is a reason to ask, and no verdict.',
    'MAD 为各值与中位数之差的绝对值的中位数；1.4826 × MAD 用以估计标准差，不受极端值影响。不足五天、五名访问者或五名客户的，不作比较。本报告不识别法定节假日。发现仅是核查线索，并非结论。',
  ),
  order_unknown: w(
    'Order: {count} look-ups name customers by pseudonyms, which have none. Give a list of ids (--ids), and they are matched.',
    '顺序：{count} 次查询以假名记录客户，无法判断顺序。提供编号清单（--ids）后可以比对。',
  ),
  order_partly: w(
    'Order: {count} look-ups are of customers that the list of ids does not have.',
    '顺序：{count} 次查询的客户不在所提供的编号清单中。',
  ),

  // system audit
  audit_summary: w(
    'In order: {ok}; attention: {attention}; not shown by what Sluice sees: {not_shown}.',
    '正常：{ok} 项；需关注：{attention} 项；无法由 Sluice 掌握的信息说明：{not_shown} 项。',
  ),
  checks: w('Checklist', '审计清单'),
  audit_limits: w(
    'Sluice sees requests, the policy, its own log and its own configuration. What is “not shown” must be checked elsewhere; it is not in order by default.',
    'Sluice 只掌握请求、策略、自身日志和自身配置。“无法说明”的事项须另行核查，不得视为正常。',
  ),
  verdict_ok: w('ok', '正常'),
  verdict_attention: w('attention', '需关注'),
  verdict_not_shown: w('not shown', '无法说明'),
  area_purposes: w('Lawful collection and purposes', '合法收集与使用目的'),
  area_rights: w('Access rights and their use', '访问权限及其使用'),
  area_storage: w('Storage and backup', '存储与备份'),
  area_partners: w('Sharing with third parties', '向第三方提供'),
  area_incidents: w('Incidents', '安全事件'),
  area_follow_up: w('Follow-up of the last audit', '上次审计的整改跟踪'),
  check_collection: w('Data are collected lawfully', '数据收集合法'),
  check_purpose_stated: w('Each disclosure states a purpose', '每次提供均说明目的'),
  check_purpose_known: w('Purposes are those of the policy', '目的均在策略规定之内'),
  check_consent: w('Consents are asked for', '核对客户同意'),
  check_rights_used: w('Rights are used', '权限得到使用'),
  check_refusals: w('Nobody is refused again and again', '无人被反复拒绝'),
  check_emergencies: w('Emergencies are reviewed', '紧急访问得到复核'),
  check_log_intact: w('The log is intact', '日志完整未被篡改'),
  check_log_protected: w('The log is protected against being rewritten', '日志具备防改写措施'),
  check_log_durable: w('Records are on disk before data leave', '数据提供前记录已落盘'),
  check_copies: w('There are copies of the log', '日志有副本'),
  check_keys: w('The key of pseudonyms is kept', '假名密钥得到保管'),
  check_backup: w('Data are backed up', '数据有备份'),
  check_partners_known: w('Recipients outside are partners of the policy', '外部接收方均为策略登记的合作方'),
  check_agreements: w('Nothing left after the end of an agreement', '协议到期后未再提供数据'),
  check_incidents: w('The log reports no incident', '日志未报告安全事件'),
  check_unusual: w('There are no unusual look-ups', '无异常查询'),
  check_follow_up: w('Findings of the last audit are settled', '上次审计发现已整改'),
  no_policy: w('No policy was given (--policies).', '未提供策略（--policies）。'),
  no_configuration: w('No configuration was given (--config).', '未提供配置（--config）。'),
  no_consents: w(
    'No configuration with a source of consents was given (--config).',
    '未提供含同意来源的配置（--config）。',
  ),
  no_previous: w('No earlier report was given (--previous).', '未提供上次报告（--previous）。'),
  evidence_collection: w(
    'Sluice does not see how data are collected: look at forms, notices and their versions.',
    'Sluice 无法获知数据如何收集：请查阅表单、告知书及其版本。',
  ),
  evidence_purpose_stated: w(
    '{without} of {disclosing} decisions that disclosed records state no purpose.',
    '{disclosing} 次提供数据的决策中，{without} 次未说明目的。',
  ),
  evidence_purpose_known: w(
    'Purposes that were used: {purposes}; not in the policy: {unknown}.',
    '使用的目的：{purposes} 种；不在策略中的：{unknown}。',
  ),
  evidence_consent_source: w('Consents come from: {consents}.', '同意来源：{consents}。'),
  evidence_consent: w(
    '{on} of {disclosing} disclosing decisions rested on recorded consents; the others on what needs none.',
    '{disclosing} 次提供数据的决策中，{on} 次依据已记录的同意，其余属于无需同意的情形。',
  ),
  evidence_rights: w(
    '{unused} of {rights} rights are unused (report unused-rights).',
    '{rights} 项权限中有 {unused} 项未使用（见 unused-rights 报告）。',
  ),
  evidence_refusals: w(
    '{refused} of {decisions} requests were refused ({share}). Refused at least {least} times, and more often than not: {often}.',
    '{decisions} 次请求中 {refused} 次被拒绝（{share}）。被拒绝至少 {least} 次且超过半数的访问者：{often}。',
  ),
  evidence_emergencies: w(
    'Requests for emergencies (tier 1): {emergencies}.',
    '紧急访问（第 1 级）：{emergencies} 次。',
  ),
  evidence_intact: w(
    'The log verifies. Records: {records}; chains: {chains}; archived: {archived}.',
    '日志核验通过。记录：{records} 条；链：{chains} 条；已归档：{archived} 条。',
  ),
  evidence_broken: w('{problem}', '{problem}'),
  evidence_protected: w(
    'Signed heads: {signed} of {chains}; checkpoints: {checkpoints}; witnesses: {witnesses}.',
    '链头已签名：{signed}/{chains}；检查点：{checkpoints}；见证方：{witnesses} 个。',
  ),
  evidence_durable: w(
    'decision_log.journal.durability is {durability}.',
    'decision_log.journal.durability 为 {durability}。',
  ),
  evidence_copies: w('Index and sinks: {copies}.', '索引与转发：{copies}。'),
  evidence_key_named: w(
    'decision_log.data_subject_key is named in the configuration.',
    '配置中指定了 decision_log.data_subject_key。',
  ),
  evidence_key_generated: w(
    'decision_log.data_subject_key is not named: the key was generated beside the journal, and without it nobody finds a customer in the log. Keep a copy.',
    '未指定 decision_log.data_subject_key：密钥自动生成于日志目录旁，丢失后无法在日志中查找客户，请另行保存副本。',
  ),
  evidence_backup: w(
    'Sluice makes no backup of the customer system: look at its restore tests.',
    'Sluice 不备份客户信息系统：请查阅其恢复演练记录。',
  ),
  evidence_strangers: w('Not in the policy: {strangers}.', '不在策略中的：{strangers}。'),
  evidence_no_sharing: w('Nothing was disclosed to partners.', '未向合作方提供数据。'),
  evidence_agreements: w(
    'Decisions after the last day of an agreement: {late} ({partners}).',
    '协议最后一日之后的决策：{late} 次（{partners}）。',
  ),
  evidence_incidents: w(
    'Incidents of the log: {incidents}. Requests that failed: {errors}; answers that broke off: {unfinished}.',
    '日志安全事件：{incidents}。失败的请求：{errors} 次；中断的应答：{unfinished} 次。',
  ),
  evidence_unusual: w('Findings: {found} (report unusual).', '发现：{found} 项（见 unusual 报告）。'),
  evidence_nothing_open: w(
    'The report of {at} had no item that needed attention.',
    '{at} 的报告中没有需关注的事项。',
  ),
  evidence_follow_up: w(
    'Needed attention on {at}: {check}. Now: {verdict}.',
    '{at} 需关注：{check}。目前：{verdict}。',
  ),
} as const satisfies Readonly<Record<string, Words>>;

export type Word = keyof typeof WORDS;
export type Say = (word: Word, values?: Readonly<Record<string, string | number>>) => string;

/** Values are data: they are put in as they are, and never looked at for placeholders. */
export const sayIn =
  (language: 'en' | 'zh'): Say =>
  (word, values = {}) =>
    WORDS[word][language].replace(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? String(values[name]) : whole,
    );
