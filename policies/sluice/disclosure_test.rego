package sluice_test

import data.sluice.example_test as example

_of(request, class) := choice if {
	answer := example.disclosure(request)
	answer.disclose == true
	choice := answer.classes[class]
}

_withheld(request, codes) if {
	answer := example.disclosure(request)
	answer.disclose == false
	answer.classes == {}
	answer.fields == {}
	example.codes(answer) == codes
}

_identity := ["identity", "contact"]

# -- the answer as a whole ---------------------------------------------------------------------------------------------

test_disclosure_has_exactly_the_members_of_the_design if {
	every request in [example.support, {}] {
		object.keys(example.disclosure(request)) == {"disclose", "reasons", "classes", "fields"}
	}
}

test_disclosure_names_every_class_of_the_resource if {
	answer := example.disclosure(example.support)
	object.keys(answer.classes) == {entry.class | some entry in example.classes.customer}
}

test_disclosure_gives_a_reason_for_every_class if {
	every choice in example.disclosure(example.support).classes {
		regex.match(`^[a-z][a-z0-9_]*$`, choice.because)
	}
}

test_deny_disclosure_where_the_decision_denies if {
	_withheld(
		example.changed(example.support, {"context": {"purpose": "claims"}}),
		{"not_allowed", "purpose_not_allowed", "mfa_required"},
	)
}

test_deny_disclosure_of_nothing if example.disclosure({}).disclose == false

test_deny_disclosure_without_the_data_subjects_state if {
	_withheld(json.remove(example.support, ["data_subject"]), {"consent_unreadable"})
}

test_deny_disclosure_of_a_consent_without_status if {
	_withheld(example.about(example.support, [{"purpose": "after_sales", "recipient": "internal", "categories": []}]), {"consent_unreadable"})
}

test_deny_disclosure_of_a_consent_with_an_unknown_status if {
	consent := example.consent("after_sales", "internal", ["contact"], "WITHDRAWN")
	_withheld(example.about(example.support, [consent]), {"consent_unreadable"})
}

test_deny_disclosure_that_no_rule_determines if {
	answer := example.disclosure(example.support) with data.sluice.may_leave as false
	answer.disclose == false
	example.codes(answer) == {"undetermined"}
}

test_deny_decision_that_no_rule_determines if {
	answer := example.decision(example.support) with data.sluice.allow as false
	answer.allow == false
	example.codes(answer) == {"denied"}
}

test_allow_data_subject_without_any_consent_or_flag if {
	_of(example.support, "transaction/2") == {"do": "disclose", "because": "tier_2"}
}

# -- tiers -------------------------------------------------------------------------------------------------------------

test_allow_tier_2_transactions_and_contact if {
	_of(example.support, "transaction/2") == {"do": "disclose", "because": "tier_2"}
	_of(example.support, "contact/3") == {"do": "disclose", "because": "tier_2"}
	_of(example.support, "reference/1") == {"do": "disclose", "because": "tier_2"}
}

test_deny_tier_2_preferences if _of(example.support, "preference/2").do == "drop"

test_allow_tier_1_identity_and_emergency_contact if {
	_of(example.emergency, "identity/3") == {"do": "disclose", "because": "consent_waived"}
	_of(example.emergency, "emergency_contact/3") == {"do": "disclose", "because": "consent_waived"}
	_of(example.emergency, "identity/4") == {"do": "mask", "because": "grade_above_tier"}
	example.codes(example.disclosure(example.emergency)) == {"emergency_without_consent"}
}

test_deny_tier_1_everything_else if {
	every class in ["contact/3", "transaction/2", "financial/4", "health/4", "free_text/3"] {
		_of(example.emergency, class) == {"do": "drop", "because": "category_outside_tier"}
	}
}

test_allow_tier_3_preferences_and_pseudonyms if {
	_of(example.analyst, "preference/2") == {"do": "disclose", "because": "tier_3"}
	_of(example.analyst, "reference/1") == {"do": "pseudonymize", "because": "tier_3"}
	_of(example.analyst, "reference/2") == {"do": "pseudonymize", "because": "tier_3"}
}

test_allow_tier_3_personal_preferences_generalized if {
	cleared := example.changed(example.analyst, {"subject": {"properties": {"clearance": 3}}})
	_of(cleared, "preference/3") == {"do": "generalize", "because": "grade_above_tier"}
}

test_deny_tier_3_everything_else if {
	every class in ["identity/3", "identity/4", "contact/3", "transaction/2", "financial/4", "health/4", "free_text/3"] {
		_of(example.analyst, class).do == "drop"
	}
}

# -- secrets -----------------------------------------------------------------------------------------------------------

test_deny_credentials_and_grade_5_to_everybody if {
	every request in [example.support, example.adjuster, example.emergency, example.analyst, example.investigator] {
		_of(request, "credential/5") == {"do": "drop", "because": "never_leaves"}
		_of(request, "secret/5") == {"do": "drop", "because": "never_leaves"}
	}
}

test_deny_a_category_that_the_policy_does_not_know if {
	_of(example.support, "weather/1") == {"do": "drop", "because": "never_leaves"}
}

test_deny_a_grade_that_the_policy_does_not_know if {
	classes := {"customer": [{"class": "contact/7", "category": "contact", "grade": 7}]}
	answer := data.sluice.disclosure with input as example.support with data.classes as classes
	answer.classes["contact/7"] == {"do": "drop", "because": "never_leaves"}
}

test_deny_a_grade_that_is_not_a_number if {
	classes := {"customer": [{"class": "contact/x", "category": "contact", "grade": "3"}]}
	answer := data.sluice.disclosure with input as example.support with data.classes as classes
	answer.classes["contact/x"].do == "drop"
}

# -- roles -------------------------------------------------------------------------------------------------------------

test_mask_identity_where_the_role_recognises if {
	_of(example.support, "identity/3") == {"do": "mask", "because": "role_recognises"}
}

test_mask_identity_where_the_tier_masks if {
	subject := {"properties": {"roles": ["store_clerk"], "department": "retail"}}
	_of(example.changed(example.support, {"subject": subject}), "identity/3") == {"do": "mask", "because": "tier_masks"}
}

test_allow_identity_where_the_purpose_needs_it if {
	_of(example.adjuster, "identity/3") == {"do": "disclose", "because": "purpose_needs_category"}
}

test_drop_free_text if _of(example.support, "free_text/3") == {"do": "drop", "because": "free_text"}

test_scrub_free_text_where_the_tier_says_so if {
	tiers := json.patch(data.tiers, [{"op": "replace", "path": "/2/categories/free_text", "value": "scrub"}])
	_of(example.support, "free_text/3") == {"do": "scrub", "because": "free_text"} with data.tiers as tiers
}

test_deny_category_not_for_role if {
	classes := {"customer": [{"class": "emergency_contact/1", "category": "emergency_contact", "grade": 1}]}
	answer := data.sluice.disclosure with input as example.support with data.classes as classes
	answer.classes["emergency_contact/1"] == {"do": "drop", "because": "category_not_for_role"}
}

test_allow_staff_directory_inside_a_customer if {
	_of(example.changed(example.support, {"resource": {"type": "employee"}}), "staff/2") == {"do": "disclose", "because": "tier_2"}
}

test_deny_staff_directory_to_a_partner if {
	_withheld(
		example.about(
			example.changed(example.logistics, {"resource": {"type": "employee"}}),
			[example.consent("delivery", "swift_logistics", _identity, "given")],
		),
		{"not_allowed", "resource_not_allowed"},
	)
}

# -- clearance ---------------------------------------------------------------------------------------------------------

test_deny_grade_4_above_clearance if {
	_of(example.support, "identity/4") == {"do": "drop", "because": "grade_above_clearance"}
}

test_mask_grade_3_above_clearance if {
	low := example.changed(example.support, {"subject": {"properties": {"clearance": 2}}})
	_of(low, "contact/3") == {"do": "mask", "because": "grade_above_clearance"}
	_of(low, "transaction/2").do == "disclose"
}

test_deny_grade_2_above_clearance if {
	low := example.changed(example.support, {"subject": {"properties": {"clearance": 1}}})
	_of(low, "transaction/2") == {"do": "drop", "because": "grade_above_clearance"}
	_of(low, "reference/1").do == "disclose"
}

test_mask_where_clearance_is_unstated if {
	every clearance in [null, "5", true] {
		unstated := example.changed(example.support, {"subject": {"properties": {"clearance": clearance}}})
		_of(unstated, "contact/3") == {"do": "mask", "because": "grade_above_clearance"}
	}
}

test_mask_where_clearance_is_missing if {
	_of(json.remove(example.support, ["subject/properties/clearance"]), "contact/3").do == "mask"
}

test_deny_grade_above_role if {
	subject := {"properties": {"roles": ["marketer"], "department": "marketing", "clearance": 4, "assurance": {"amr": ["otp"]}}}
	consent := example.consent("marketing", "internal", ["identity", "contact", "preference"], "given")
	request := example.about(example.changed(example.marketer, {"subject": subject}), [consent])
	_of(request, "identity/4") == {"do": "drop", "because": "grade_above_role"}
	_of(request, "identity/3").do == "disclose"
}

# -- second factor -----------------------------------------------------------------------------------------------------

test_mask_grade_4_without_second_factor if {
	subject := {"properties": {"roles": ["store_clerk"], "department": "retail", "clearance": 4}}
	consent := example.consent("order_processing", "internal", ["identity"], "given")
	context := {"purpose": "order_processing"}
	request := example.about(example.changed(example.support, {"subject": subject, "context": context}), [consent])
	_of(request, "identity/4") == {"do": "mask", "because": "mfa_required"}
	strong := example.changed(request, {"subject": {"properties": {"assurance": {"amr": ["hwk"]}}}})
	_of(strong, "identity/4") == {"do": "disclose", "because": "explicit_consent"}
}

# -- consent: notice and opt-out ---------------------------------------------------------------------------------------

test_mask_grade_3_after_opt_out if {
	_of(example.flagged(example.support, ["opt_out"]), "contact/3") == {"do": "mask", "because": "opted_out"}
	_of(example.flagged(example.support, ["opt_out"]), "transaction/2").do == "disclose"
}

test_mask_grade_3_after_opt_out_of_this_purpose if {
	_of(example.flagged(example.support, ["opt_out:after_sales"]), "contact/3").because == "opted_out"
}

test_allow_opt_out_of_another_purpose if {
	_of(example.flagged(example.support, ["opt_out:marketing", "vip"]), "contact/3").do == "disclose"
}

test_mask_withdrawn_category if {
	request := example.about(example.support, [example.consent("after_sales", "internal", ["contact"], "withdrawn")])
	_of(request, "contact/3") == {"do": "mask", "because": "consent_withdrawn"}
	_of(request, "transaction/2").do == "disclose"
}

test_deny_withdrawn_transactions_without_any_mask if {
	request := example.about(example.support, [example.consent("after_sales", "internal", ["transaction"], "withdrawn")])
	_of(request, "transaction/2") == {"do": "drop", "because": "consent_withdrawn"}
}

test_deny_record_after_full_withdrawal if {
	_withheld(
		example.about(example.support, [example.consent("after_sales", "internal", ["*"], "withdrawn")]),
		{"consent_withdrawn"},
	)
}

test_deny_record_after_withdrawal_from_every_purpose_and_recipient if {
	_withheld(example.about(example.support, [example.consent("*", "*", ["*"], "withdrawn")]), {"consent_withdrawn"})
}

test_allow_withdrawal_from_another_purpose if {
	request := example.about(example.support, [example.consent("marketing", "internal", ["*"], "withdrawn")])
	_of(request, "contact/3").do == "disclose"
}

test_allow_withdrawal_towards_another_recipient if {
	request := example.about(example.support, [example.consent("after_sales", "swift_logistics", ["*"], "withdrawn")])
	_of(request, "contact/3").do == "disclose"
}

test_deny_refusal_beats_consent if {
	request := example.about(example.support, [
		example.consent("after_sales", "internal", ["contact"], "given"),
		example.consent("after_sales", "internal", ["contact"], "withdrawn"),
	])
	_of(request, "contact/3").because == "consent_withdrawn"
}

test_deny_research_record_after_opt_out if {
	_withheld(example.flagged(example.analyst, ["opt_out"]), {"opted_out"})
}

test_deny_research_record_after_any_withdrawal if {
	_withheld(
		example.about(example.analyst, [example.consent("market_research", "internal", ["preference"], "withdrawn")]),
		{"consent_withdrawn"},
	)
}

# -- consent: explicit -------------------------------------------------------------------------------------------------

test_mask_or_drop_grade_4_without_consent if {
	_of(example.adjuster, "identity/4") == {"do": "mask", "because": "consent_missing"}
	_of(example.adjuster, "financial/4") == {"do": "mask", "because": "consent_missing"}
	_of(example.adjuster, "health/4") == {"do": "drop", "because": "consent_missing"}
}

test_allow_grade_4_with_explicit_consent if {
	consent := example.consent("claims", "internal", ["identity", "health", "financial"], "given")
	every class in ["identity/4", "health/4", "financial/4"] {
		_of(example.about(example.adjuster, [consent]), class) == {"do": "disclose", "because": "explicit_consent"}
	}
}

test_deny_grade_4_with_consent_that_is_not_explicit if {
	implied := object.remove(example.consent("claims", "internal", ["health"], "given"), ["explicit"])
	_of(example.about(example.adjuster, [implied]), "health/4") == {"do": "drop", "because": "consent_not_explicit"}
	truthy := object.union(implied, {"explicit": "yes"})
	_of(example.about(example.adjuster, [truthy]), "health/4") == {"do": "drop", "because": "consent_not_explicit"}
}

test_deny_grade_4_with_expired_or_pending_consent if {
	every status in ["expired", "pending"] {
		consent := example.consent("claims", "internal", ["health"], status)
		_of(example.about(example.adjuster, [consent]), "health/4").because == concat("_", ["consent", status])
	}
}

test_deny_grade_4_with_consent_for_another_purpose_recipient_or_category if {
	every consent in [
		example.consent("underwriting", "internal", ["health"], "given"),
		example.consent("claims", "city_clinic", ["health"], "given"),
		example.consent("claims", "internal", ["identity"], "given"),
		example.consent("claims", "internal", [], "given"),
		example.consent("claims", "internal", ["*"], "given"),
		example.consent("*", "*", ["health"], "given"),
	] {
		_of(example.about(example.adjuster, [consent]), "health/4") == {"do": "drop", "because": "consent_missing"}
	}
}

test_deny_grade_4_after_opt_out_even_with_consent if {
	consent := example.consent("claims", "internal", ["health"], "given")
	request := example.flagged(example.about(example.adjuster, [consent]), ["opt_out"])
	_of(request, "health/4") == {"do": "drop", "because": "opted_out"}
}

test_deny_marketing_without_consent if _withheld(example.marketer, {"consent_missing"})

test_allow_marketing_with_consent if {
	request := example.about(example.marketer, [example.consent("marketing", "internal", ["contact", "preference"], "given")])
	_of(request, "contact/3") == {"do": "disclose", "because": "explicit_consent"}
	_of(request, "preference/2") == {"do": "disclose", "because": "explicit_consent"}
	_of(request, "identity/3") == {"do": "mask", "because": "consent_missing"}
	_of(request, "reference/1").do == "disclose"
}

test_allow_marketing_with_consent_to_everything_but_what_is_sensitive if {
	cleared := example.changed(example.marketer, {"subject": {"properties": {"clearance": 4}}})
	request := example.about(cleared, [example.consent("marketing", "internal", ["*"], "given")])
	_of(request, "identity/3").do == "disclose"
	_of(request, "identity/4").do != "disclose"
}

# -- consent: waived ---------------------------------------------------------------------------------------------------

test_allow_emergency_whatever_the_customer_refused if {
	refusals := [example.consent("emergency", "internal", ["*"], "withdrawn")]
	request := example.flagged(example.about(example.emergency, refusals), ["opt_out", "restricted"])
	_of(request, "emergency_contact/3").do == "disclose"
}

test_allow_fraud_investigation_without_consent if {
	_of(example.investigator, "identity/4") == {"do": "disclose", "because": "consent_waived"}
	_of(example.investigator, "health/4") == {"do": "mask", "because": "role_recognises"}
}

# -- flags -------------------------------------------------------------------------------------------------------------

test_deny_record_whose_processing_is_restricted if {
	_withheld(example.flagged(example.support, ["restricted"]), {"restricted"})
}

test_deny_record_of_the_deceased_but_for_their_claims if {
	_withheld(example.flagged(example.support, ["deceased"]), {"deceased"})
	_of(example.flagged(example.adjuster, ["deceased"]), "identity/3").do == "disclose"
}

test_deny_record_of_a_flag_without_exceptions if {
	answer := example.disclosure(example.flagged(example.emergency, ["frozen"])) with data.flags.frozen as {
		"title": "Frozen",
		"withholds": "record",
	}
	answer.disclose == false
	example.codes(answer) == {"frozen"}
}

# -- partners ----------------------------------------------------------------------------------------------------------

test_deny_partner_without_consent if _withheld(example.logistics, {"recipient_consent_missing"})

test_deny_partner_with_consent_for_us_only if {
	_withheld(
		example.about(example.logistics, [example.consent("delivery", "internal", _identity, "given")]),
		{"recipient_consent_missing"},
	)
}

test_deny_partner_with_consent_that_is_not_explicit if {
	implied := object.union(example.consent("delivery", "swift_logistics", _identity, "given"), {"explicit": false})
	_withheld(example.about(example.logistics, [implied]), {"recipient_consent_missing"})
}

test_deny_partner_after_withdrawal if {
	_withheld(
		example.about(example.logistics, [example.consent("delivery", "swift_logistics", ["contact"], "withdrawn")]),
		{"consent_withdrawn"},
	)
}

test_allow_partner_with_consent if {
	request := example.about(example.logistics, [example.consent("delivery", "swift_logistics", _identity, "given")])
	_of(request, "identity/3") == {"do": "disclose", "because": "explicit_consent"}
	_of(request, "contact/3") == {"do": "disclose", "because": "explicit_consent"}
	_of(request, "reference/1") == {"do": "disclose", "because": "consent_given"}
}

test_deny_partner_categories_without_consent if {
	request := example.about(example.logistics, [example.consent("delivery", "swift_logistics", ["contact"], "given")])
	_of(request, "identity/3") == {"do": "drop", "because": "consent_missing"}
}

test_deny_partner_classes_outside_the_agreement if {
	request := example.about(example.logistics, [example.consent("delivery", "swift_logistics", ["*"], "given")])
	every class in ["transaction/2", "reference/2"] {
		_of(request, class) == {"do": "drop", "because": "not_in_agreement"}
	}
	every class in ["identity/4", "financial/4", "health/4", "free_text/3", "preference/2", "emergency_contact/3"] {
		_of(request, class).do == "drop"
	}
}

test_deny_partner_above_clearance_without_a_mask if {
	low := example.changed(example.logistics, {"subject": {"properties": {"clearance": 2}}})
	request := example.about(low, [example.consent("delivery", "swift_logistics", _identity, "given")])
	_of(request, "contact/3") == {"do": "drop", "because": "grade_above_clearance"}
}

test_allow_partner_fields_of_the_agreement if {
	request := example.about(example.logistics, [example.consent("delivery", "swift_logistics", _identity, "given")])
	example.disclosure(request).fields == {
		"/orders/*/order_no": {"do": "disclose", "because": "consent_given"},
		"/orders/*/item": {"do": "disclose", "because": "consent_given"},
		"/orders/*/status": {"do": "disclose", "because": "consent_given"},
	}
}

test_allow_no_partner_fields_internally if example.disclosure(example.support).fields == {}

test_allow_rescue_partner_in_an_emergency if {
	subject := {"properties": {"roles": ["dispatcher"], "department": "assistance"}}
	request := example.changed(example.emergency, {"subject": subject, "context": {"recipient": "red_lantern_rescue"}})
	_of(request, "emergency_contact/3") == {"do": "disclose", "because": "consent_waived"}
	_of(request, "identity/4").do == "drop"
}
