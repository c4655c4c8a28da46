package sluice_test

import data.sluice.example_test as example

# -- who asks ----------------------------------------------------------------------------------------------------------

test_allow_support_for_after_sales if {
	answer := example.decision(example.support)
	answer.allow == true
	answer.tier == 2
	example.codes(answer) == {"role_permits"}
}

test_decision_has_exactly_the_members_of_the_design if {
	answer := example.decision(example.support)
	object.keys(answer) == {"allow", "reasons", "tier", "obligations"}
	object.keys(answer.obligations) == {"max_records", "watermark", "min_group_size", "record_filter", "retention", "subject_verification", "step_up", "review"}
}

test_deny_without_any_input if {
	answer := example.decision({})
	answer.allow == false
	answer.tier == null
	"role_missing" in example.codes(answer)
	"purpose_missing" in example.codes(answer)
	"resource_unknown" in example.codes(answer)
}

test_deny_no_roles if {
	answer := example.decision(example.changed(example.support, {"subject": {"properties": {"roles": []}}}))
	answer.allow == false
	example.codes(answer) == {"role_missing"}
}

test_deny_roles_that_are_not_a_list if {
	example.decision(example.changed(example.support, {"subject": {"properties": {"roles": "support"}}})).allow == false
}

test_deny_unknown_role if {
	answer := example.decision(example.changed(example.support, {"subject": {"properties": {"roles": ["wizard"]}}}))
	answer.allow == false
	example.codes(answer) == {"role_unknown"}
}

test_allow_unknown_role_beside_a_known_one if {
	roles := {"subject": {"properties": {"roles": ["wizard", "support"]}}}
	example.decision(example.changed(example.support, roles)).allow == true
}

test_deny_another_department if {
	answer := example.decision(example.changed(example.support, {"subject": {"properties": {"department": "claims"}}}))
	answer.allow == false
	example.codes(answer) == {"department_not_allowed"}
}

test_deny_no_department if {
	answer := example.decision(json.remove(example.support, ["subject/properties/department"]))
	answer.allow == false
	example.codes(answer) == {"department_not_allowed"}
}

test_allow_role_without_departments_in_any if {
	subject := {"properties": {"roles": ["dpo"], "department": "somewhere", "assurance": {"amr": ["mfa"]}}}
	context := {"purpose": "data_subject_request", "justification": "request 77"}
	example.decision(example.changed(example.adjuster, {"subject": subject, "context": context})).allow == true
}

test_deny_kind_of_caller if {
	answer := example.decision(example.changed(example.support, {"subject": {"type": "service"}}))
	answer.allow == false
	example.codes(answer) == {"subject_type_not_allowed"}
}

# -- quotas ------------------------------------------------------------------------------------------------------------

_with_quota(quota) := example.changed(example.support, {"context": {"quota": object.union(
	{"counts": {}, "exceeded": [], "max_records": 1000, "near": []},
	quota,
)}})

test_allow_within_quotas if {
	answer := example.decision(_with_quota({}))
	answer.allow == true
	answer.obligations.max_records == example.decision(example.support).obligations.max_records
	example.codes(answer) == {"role_permits"}
}

test_deny_exceeded_quota if {
	answer := example.decision(_with_quota({"exceeded": ["daily"], "max_records": 0}))
	answer.allow == false
	example.codes(answer) == {"quota_exceeded"}
}

test_allow_cut_to_what_is_reserved if {
	answer := example.decision(_with_quota({"max_records": 3}))
	answer.allow == true
	answer.obligations.max_records == 3
}

test_allow_cut_to_nothing if example.decision(_with_quota({"max_records": 0})).obligations.max_records == 0

test_allow_quota_above_the_role if {
	limit := example.decision(example.support).obligations.max_records
	example.decision(_with_quota({"max_records": limit + 1})).obligations.max_records == limit
}

test_allow_with_a_warning_near_the_limit if {
	answer := example.decision(_with_quota({"near": ["daily"]}))
	answer.allow == true
	example.codes(answer) == {"role_permits", "quota_near"}
}

# -- what for ----------------------------------------------------------------------------------------------------------

test_deny_no_purpose if {
	answer := example.decision(json.remove(example.support, ["context/purpose"]))
	answer.allow == false
	"purpose_missing" in example.codes(answer)
}

test_deny_empty_purpose if {
	"purpose_missing" in example.codes(example.decision(example.changed(example.support, {"context": {"purpose": ""}})))
}

test_deny_unknown_purpose if {
	answer := example.decision(example.changed(example.support, {"context": {"purpose": "curiosity"}}))
	answer.allow == false
	example.codes(answer) == {"purpose_unknown"}
}

test_deny_purpose_of_another_role if {
	answer := example.decision(example.changed(example.support, {"context": {"purpose": "market_research"}}))
	answer.allow == false
	{"code": "purpose_not_allowed", "message": "Role support may not act for market_research."} in answer.reasons
}

test_deny_never_echoes_the_request if {
	request := example.changed(example.support, {
		"context": {"purpose": "canary-p", "recipient": "canary-r", "tier": 9},
		"action": {"name": "canary-a"},
		"resource": {"type": "canary-t"},
		"subject": {"properties": {"roles": ["support", "canary-s"]}},
	})
	not contains(json.marshal(example.decision(request)), "canary")
}

test_allow_stated_tier if {
	example.decision(example.changed(example.support, {"context": {"tier": 2}})).tier == 2
}

test_deny_tier_of_another_purpose if {
	answer := example.decision(example.changed(example.support, {"context": {"tier": 1}}))
	answer.allow == false
	answer.tier == null
	example.codes(answer) == {"tier_not_allowed"}
}

test_allow_missing_tier_takes_the_first_of_the_purpose if {
	example.decision(json.remove(example.emergency, ["context/tier"])).tier == 1
}

# -- to do what --------------------------------------------------------------------------------------------------------

test_deny_action_of_another_role if {
	answer := example.decision(example.changed(example.support, {"action": {"name": "delete"}}))
	answer.allow == false
	"action_not_allowed" in example.codes(answer)
}

test_deny_no_action if {
	"action_not_allowed" in example.codes(example.decision(json.remove(example.support, ["action"])))
}

test_deny_roles_are_not_mixed if {
	# the analyst may export, but not for after-sales; support may act for after-sales, but not export
	subject := {"properties": {"roles": ["support", "analyst"], "assurance": {"amr": ["otp"]}}}
	request := example.changed(example.support, {"subject": subject, "action": {"name": "export"}})
	answer := example.decision(request)
	answer.allow == false
	example.codes(answer) == {"action_not_allowed"}
}

test_deny_single_record_in_research if {
	answer := example.decision(example.changed(example.analyst, {"action": {"name": "read"}}))
	answer.allow == false
	{"action_outside_tier", "action_not_allowed"} == example.codes(answer)
}

test_deny_action_outside_purpose if {
	subject := {"properties": {"roles": ["store_clerk"], "department": "retail", "assurance": {"amr": ["otp"]}}}
	answer := example.decision(example.changed(example.support, {"subject": subject, "context": {"purpose": "onboarding"}}))
	answer.allow == false
	example.codes(answer) == {"action_outside_purpose"}
}

test_allow_action_of_purpose if {
	subject := {"properties": {"roles": ["store_clerk"], "department": "retail", "assurance": {"amr": ["otp"]}}}
	example.decision(example.changed(example.support, {
		"subject": subject,
		"context": {"purpose": "onboarding"},
		"action": {"name": "create"},
	})).allow == true
}

test_deny_resource_of_another_role if {
	"resource_not_allowed" in example.codes(example.decision(example.changed(example.analyst, {"resource": {"type": "employee"}})))
}

test_deny_resource_without_catalog if {
	answer := example.decision(example.changed(example.support, {"resource": {"type": "ledger"}}))
	answer.allow == false
	{"resource_unknown", "resource_not_allowed"} == example.codes(answer)
}

test_deny_when_no_catalog_is_loaded if {
	answer := data.sluice.decision with input as example.support with data.classes as {}
	answer.allow == false
}

# -- justification -----------------------------------------------------------------------------------------------------

test_allow_emergency_with_justification if {
	answer := example.decision(example.emergency)
	answer.allow == true
	answer.tier == 1
	answer.obligations.review == true
	answer.obligations.watermark == false
	answer.obligations.max_records == 5
	example.codes(answer) == {"role_permits", "emergency_without_consent", "review_required"}
}

test_deny_emergency_without_justification if {
	some justification in [null, "", "   ", "abc"]
	answer := example.decision(example.changed(example.emergency, {"context": {"justification": justification}}))
	answer.allow == false
	example.codes(answer) == {"justification_missing"}
}

test_deny_emergency_for_support if {
	answer := example.decision(example.changed(example.support, {"context": {"purpose": "emergency", "justification": "accident"}}))
	answer.allow == false
	example.codes(answer) == {"purpose_not_allowed"}
}

# -- second factor -----------------------------------------------------------------------------------------------------

test_allow_claims_with_second_factor if {
	answer := example.decision(example.adjuster)
	answer.allow == true
	answer.obligations.step_up == null
}

test_deny_claims_without_second_factor if {
	some amr in [[], ["pwd"], ["sms"], ["pwd", "OTP"]]
	answer := example.decision(example.changed(example.adjuster, {"subject": {"properties": {"assurance": {"amr": amr}}}}))
	answer.allow == false
	answer.obligations.step_up == "mfa"
	example.codes(answer) == {"mfa_required"}
}

test_deny_claims_without_assurance if {
	answer := example.decision(json.remove(example.adjuster, ["subject/properties/assurance"]))
	answer.allow == false
	answer.obligations.step_up == "mfa"
}

test_allow_claims_by_authentication_context if {
	assurance := {"amr": [], "acr": "aal2"}
	example.decision(example.changed(example.adjuster, {"subject": {"properties": {"assurance": assurance}}})).allow == true
}

test_deny_claims_by_single_factor_context if {
	assurance := {"amr": ["pwd"], "acr": "2"}
	example.decision(example.changed(example.adjuster, {"subject": {"properties": {"assurance": assurance}}})).allow == false
}

test_deny_no_step_up_where_more_is_missing if {
	subject := {"properties": {"department": "sales", "assurance": {"amr": ["pwd"]}}}
	answer := example.decision(example.changed(example.adjuster, {"subject": subject}))
	answer.allow == false
	answer.obligations.step_up == null
	example.codes(answer) == {"mfa_required", "department_not_allowed"}
}

test_deny_export_without_second_factor if {
	answer := example.decision(example.changed(example.analyst, {"action": {"name": "export"}}))
	answer.allow == false
	answer.obligations.step_up == "mfa"
}

test_allow_export_of_an_exempt_service if {
	subject := {"type": "service", "properties": {"roles": ["sync_service"], "department": null, "assurance": {"amr": []}}}
	answer := example.decision(example.changed(example.support, {
		"subject": subject,
		"context": {"purpose": "system_sync"},
		"action": {"name": "export"},
	}))
	answer.allow == true
	answer.obligations.watermark == false
	answer.obligations.max_records == 1000
}

# -- recipients --------------------------------------------------------------------------------------------------------

test_allow_partner_with_agreement if {
	answer := example.decision(example.logistics)
	answer.allow == true
	answer.obligations.watermark == false
	answer.obligations.max_records == 100
}

test_deny_unknown_recipient if {
	answer := example.decision(example.changed(example.logistics, {
		"subject": {"properties": {"organization": "acme"}},
		"context": {"recipient": "acme"},
	}))
	answer.allow == false
	example.codes(answer) == {"recipient_unknown"}
}

test_deny_no_recipient if {
	answer := example.decision(json.remove(example.support, ["context/recipient"]))
	answer.allow == false
	"recipient_unknown" in example.codes(answer)
}

test_deny_partner_for_another_partner if {
	answer := example.decision(example.changed(example.logistics, {"context": {"recipient": "city_clinic"}}))
	answer.allow == false
	"recipient_not_allowed" in example.codes(answer)
	"agreement_missing" in example.codes(answer)
}

test_deny_partner_as_if_internal if {
	answer := example.decision(example.changed(example.logistics, {"context": {"recipient": "internal"}}))
	answer.allow == false
	example.codes(answer) == {"recipient_not_allowed"}
}

test_deny_partner_who_claims_an_internal_role if {
	subject := {"type": "user", "properties": {"roles": ["support"], "department": "after-sales"}}
	some recipient in ["internal", "swift_logistics"]
	context := {"purpose": "after_sales", "recipient": recipient}
	answer := example.decision(example.changed(example.logistics, {"subject": subject, "context": context}))
	answer.allow == false
	"recipient_not_allowed" in example.codes(answer)
}

test_deny_staff_who_claim_a_partner_role if {
	subject := {"properties": {"roles": ["courier"], "organization": "internal"}}
	some recipient in ["internal", "swift_logistics"]
	answer := example.decision(example.changed(example.logistics, {"subject": subject, "context": {"recipient": recipient}}))
	answer.allow == false
	"recipient_not_allowed" in example.codes(answer)
}

test_deny_purpose_outside_agreement if {
	subject := {"properties": {"roles": ["repairer"], "assurance": {"amr": ["mfa"]}}}
	answer := example.decision(example.changed(example.logistics, {"subject": subject, "context": {"purpose": "claims"}}))
	answer.allow == false
	example.codes(answer) == {"agreement_missing"}
}

test_deny_ended_agreement if {
	answer := example.decision(example.changed(example.logistics, {
		"subject": {"properties": {"organization": "harbour_couriers"}},
		"context": {"recipient": "harbour_couriers"},
	}))
	answer.allow == false
	example.codes(answer) == {"agreement_expired"}
}

test_allow_agreement_on_its_last_day if {
	example.decision(example.changed(example.logistics, {"context": {"time": "2035-12-31T23:59:59Z"}})).allow == true
}

test_deny_agreement_the_day_after if {
	example.decision(example.changed(example.logistics, {"context": {"time": "2036-01-01T00:00:00Z"}})).allow == false
}

test_deny_agreement_without_a_clock if {
	example.decision(json.remove(example.logistics, ["context/time"])).allow == false
}

test_allow_staff_who_send_to_a_partner if {
	subject := {"properties": {"roles": ["order_manager"], "department": "logistics"}}
	context := {"purpose": "delivery", "recipient": "swift_logistics"}
	example.decision(example.changed(example.support, {"subject": subject, "context": context})).allow == true
}

test_deny_staff_who_may_not_send_to_a_partner if {
	answer := example.decision(example.changed(example.support, {"context": {"recipient": "swift_logistics"}}))
	answer.allow == false
	{"recipient_not_allowed", "agreement_missing"} == example.codes(answer)
}

# -- obligations -------------------------------------------------------------------------------------------------------

test_allow_research_in_groups_only if {
	answer := example.decision(example.analyst)
	answer.allow == true
	answer.tier == 3
	answer.obligations.min_group_size == 5
	answer.obligations.max_records == 5000
}

test_deny_gives_no_records if {
	answer := example.decision(example.changed(example.support, {"context": {"purpose": "claims"}}))
	answer.obligations.max_records == 0
}

test_allow_grant_is_reviewed if {
	grant := {"id": "g1", "categories": ["identity"], "until": "2026-11-22T09:00:00Z"}
	answer := example.decision(example.granted(example.support, [grant]))
	answer.allow == true
	answer.obligations.review == true
	answer.obligations.watermark == false
	"grant_in_effect" in example.codes(answer)
}

test_allow_without_grants_in_the_input if {
	example.decision(json.remove(example.support, ["context/grants"])).allow == true
}
