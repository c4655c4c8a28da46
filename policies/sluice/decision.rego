# METADATA
# title: Sluice's default policy
# description: The two questions that the sidecar asks. Everything they say about somebody stands in the data files.
package sluice

import data.sluice.agent
import data.sluice.grants
import data.sluice.purpose
import data.sluice.recipient
import data.sluice.records
import data.sluice.retention
import data.sluice.subject
import data.sluice.verification

# METADATA
# title: May this request go on at all?
# description: Asked once a request; the answer of design §5.2.
# entrypoint: true
decision := {
	"allow": allow,
	"reasons": sort(_reasons),
	"tier": purpose.tier,
	"obligations": obligations,
}

# METADATA
# title: The request may go on
# description: Each condition stands in the positive, so that whatever is undefined denies.
default allow := false

allow if {
	count(subject.acting) > 0
	_has_catalog
	purpose.tier_settings
	purpose.permits_action
	purpose.tier_permits_action
	purpose.is_justified
	recipient.may_receive
	_has_factor
	_is_within_quotas
	agent.may_act
}

default _is_within_quotas := true

_is_within_quotas := false if count(input.context.quota.exceeded) > 0

default _has_factor := false

_has_factor if purpose.needs_mfa == false

_has_factor if subject.has_mfa

_reasons := _notices if allow

_reasons := denials if {
	allow == false
	count(denials) > 0
}

_reasons := {{"code": "denied", "message": "No rule allows this request."}} if {
	allow == false
	count(denials) == 0
}

# METADATA
# title: Why the request may not go on
# description: Messages name what stands in the policy's data and never what came with the request.
denials contains {"code": "role_missing", "message": "The caller has no role."} if _has_roles == false

default _has_roles := false

_has_roles if count(input.subject.properties.roles) > 0

denials contains {"code": "role_unknown", "message": "The policy knows none of the caller's roles."} if {
	_has_roles
	count(subject.known) == 0
}

denials contains {"code": "purpose_missing", "message": "The request states no purpose."} if purpose.is_stated == false

denials contains {"code": "purpose_unknown", "message": "The policy does not know the purpose."} if {
	purpose.is_stated
	purpose.is_known == false
}

denials contains {"code": "purpose_not_allowed", "message": message} if {
	purpose.settings
	count(subject.serving) == 0
	some name in subject.known
	message := concat("", ["Role ", name, " may not act for ", input.context.purpose, "."])
}

denials contains {"code": code, "message": message} if {
	count(subject.acting) == 0
	some name in subject.serving
	some code in subject.misfits[name]
	message := concat("", ["Role ", name, ": ", _misfit_messages[code]])
}

_misfit_messages := {
	"subject_type_not_allowed": "not for this kind of caller.",
	"department_not_allowed": "not in the caller's department.",
	"action_not_allowed": "may not do this action.",
	"resource_not_allowed": "may not ask for this resource.",
	"recipient_not_allowed": "the caller may not receive for this recipient.",
	"fields_malformed": "what it says of single fields cannot be read.",
}

denials contains {"code": "resource_unknown", "message": "No catalog describes this resource."} if {
	_has_catalog == false
}

default _has_catalog := false

_has_catalog if data.classes[input.resource.type]

denials contains {"code": "tier_not_allowed", "message": "The purpose does not have this tier."} if {
	purpose.settings
	purpose.has_tier == false
}

denials contains {"code": "action_outside_purpose", "message": "The purpose is not for this action."} if {
	purpose.settings
	purpose.permits_action == false
}

denials contains {"code": "action_outside_tier", "message": message} if {
	purpose.tier_settings
	purpose.tier_permits_action == false
	message := concat("", ["Tier ", purpose.tier_name, " is not for this action."])
}

denials contains {"code": "justification_missing", "message": message} if {
	purpose.settings
	purpose.is_justified == false
	message := concat("", ["Purpose ", input.context.purpose, " needs a justification."])
}

denials contains {"code": "recipient_unknown", "message": "The policy does not know the recipient."} if {
	recipient.is_internal == false
	recipient.is_known == false
}

denials contains {"code": "agreement_missing", "message": "No agreement with the recipient covers this purpose."} if {
	recipient.partner
	recipient.has_agreement == false
}

denials contains {"code": "agreement_expired", "message": "The agreement with the recipient has ended."} if {
	recipient.agreement
	recipient.is_in_force == false
}

denials contains {"code": code, "message": _recipient_messages[code]} if {
	some code in recipient.reasons
}

_recipient_messages := {
	"qualification_missing": "Nobody has assessed the recipient.",
	"qualification_expired": "The assessment of the recipient has ended.",
	"commitment_missing": "The recipient has not signed what it may do with the data.",
	"commitment_expired": "What the recipient has signed has ended.",
	"confirmation_overdue": "The recipient has not confirmed in time that it destroyed or archived expired data.",
}

denials contains {"code": "mfa_required", "message": "This purpose or action needs a second factor."} if {
	purpose.settings
	_has_factor == false
}

denials contains denial if some denial in agent.denials

denials contains {"code": "quota_exceeded", "message": message} if {
	some name in input.context.quota.exceeded
	message := concat("", ["Less is left of the quota ", name, " than the request may take."])
}

_notices contains {"code": "role_permits", "message": message} if {
	some name in subject.acting
	message := concat("", ["Role ", name, " acts for ", input.context.purpose, " in tier ", purpose.tier_name, "."])
}

_notices contains {"code": "emergency_without_consent", "message": "Consent is waived; somebody will review this."} if {
	purpose.tier_settings.review == true
}

_notices contains {"code": "review_required", "message": "Somebody will review this."} if purpose.settings.review == true

_notices contains {"code": "quota_near", "message": message} if {
	some name in input.context.quota.near
	message := concat("", ["Little is left of the quota ", name, "."])
}

_notices contains {"code": "records_limited", "message": message} if {
	some name in records.applying
	message := concat("", ["Only records within the filter ", name, "."])
}

_notices contains {"code": "grant_in_effect", "message": "A grant goes beyond the standing rules."} if {
	count(grants.lifted) > 0
}

# METADATA
# title: What the decision demands besides
obligations := {
	"max_records": _max_records,
	"watermark": _is_watermarked,
	"min_group_size": _min_group_size,
	"record_filter": records.conditions,
	"retention": retention.conditions,
	"subject_verification": verification.methods,
	"step_up": _step_up,
	"review": _is_reviewed,
}

default _max_records := 0

_max_records := min(_record_limits | agent.max_records) if {
	allow
	count(_record_limits) > 0
}

_record_limits contains subject.max_records

_record_limits contains purpose.tier_settings.max_records

_record_limits contains recipient.agreement.max_records

_record_limits contains input.context.quota.max_records

# Nothing fulfils it yet, so that a tier that asks for it is closed.
default _is_watermarked := false

_is_watermarked if purpose.tier_settings.watermark == true

default _min_group_size := null

_min_group_size := purpose.tier_settings.min_group_size

# Asked for only where it is all that is missing.
default _step_up := null

_step_up := data.assurance.step_up if {
	allow == false
	_has_factor == false
	{code | some denial in denials; code := denial.code} == {"mfa_required"}
}

default _is_reviewed := false

_is_reviewed if purpose.tier_settings.review == true

_is_reviewed if purpose.settings.review == true

_is_reviewed if count(grants.lifted) > 0
