package sluice.grants_test

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

_grant := {
	"id": "g1",
	"purpose": "after_sales",
	"resource": "customer",
	"data_subject": "C1",
	"categories": ["identity"],
	"until": "2026-11-22T17:00:00+08:00",
}

_with_grant(changes) := example.granted(example.support, [object.union(_grant, changes)])

test_allow_what_a_grant_lifts if {
	_of(_with_grant({}), "identity/3") == {"do": "disclose", "because": "grant"}
	_of(_with_grant({"categories": ["*"]}), "free_text/3") == {"do": "disclose", "because": "grant"}
	example.codes(example.disclosure(_with_grant({}))) == {"grant_in_effect"}
}

test_allow_grant_lifts_clearance_and_consent_but_not_the_second_factor if {
	_of(_with_grant({}), "identity/4") == {"do": "mask", "because": "mfa_required"}
	strong := example.changed(_with_grant({}), {"subject": {"properties": {"assurance": {"amr": ["otp"]}}}})
	_of(strong, "identity/4") == {"do": "disclose", "because": "grant"}
}

test_allow_grant_says_nothing_where_nothing_is_lifted if {
	_of(_with_grant({"categories": ["*"]}), "transaction/2") == {"do": "disclose", "because": "tier_2"}
}

test_deny_grant_for_other_categories if {
	_of(_with_grant({"categories": ["financial"]}), "identity/3").do == "mask"
}

test_deny_grant_that_is_expired_pending_or_foreign if {
	every changes in [
		{"until": "2026-11-22T08:00:00Z"},
		{"until": "2026-11-22T15:00:00+08:00"},
		{"until": "tomorrow"},
		{"from": "2026-11-22T08:30:00Z"},
		{"from": "later"},
		{"status": "requested"},
		{"purpose": "claims"},
		{"resource": "employee"},
		{"data_subject": "C2"},
		{"categories": []},
	] {
		_of(_with_grant(changes), "identity/3").do == "mask"
	}
}

test_deny_grant_without_end_or_categories if {
	every member in ["until", "categories"] {
		request := example.granted(example.support, [object.remove(_grant, [member])])
		_of(request, "identity/3").do == "mask"
	}
}

test_deny_grant_for_one_data_subject_in_a_list if {
	search := json.remove(_with_grant({}), ["resource/id"])
	_of(search, "identity/3").do == "mask"
}

test_deny_grant_for_a_data_subject_without_its_resource if {
	_of(example.granted(example.support, [object.remove(_grant, ["resource"])]), "identity/3").do == "mask"
}

test_allow_grant_that_has_begun if {
	_of(_with_grant({"from": "2026-11-22T07:00:00Z", "status": "active"}), "identity/3").do == "disclose"
}

test_deny_grant_against_secrets_refusals_and_flags if {
	everything := _with_grant({"categories": ["*"]})
	_of(everything, "credential/5").do == "drop"
	_of(everything, "secret/5").do == "drop"
	withdrawn := example.about(everything, [example.consent("after_sales", "internal", ["identity"], "withdrawn")])
	_of(withdrawn, "identity/3") == {"do": "mask", "because": "consent_withdrawn"}
	_of(example.flagged(everything, ["opt_out"]), "contact/3") == {"do": "mask", "because": "opted_out"}
	_withheld(example.flagged(everything, ["restricted"]), {"restricted"})
}

test_deny_grant_in_research_emergency_and_to_partners if {
	everything := {"id": "g2", "categories": ["*"], "until": "2030-01-01T00:00:00Z"}
	_of(example.granted(example.analyst, [everything]), "identity/3").do == "drop"
	_of(example.granted(example.emergency, [everything]), "contact/3").do == "drop"
	consent := example.consent("delivery", "swift_logistics", _identity, "given")
	partner := example.granted(example.about(example.logistics, [consent]), [everything])
	_of(partner, "transaction/2") == {"do": "drop", "because": "not_in_agreement"}
}
