package sluice.consent_test

import data.sluice.consent
import data.sluice.example_test as example

_verdict(request, category, grade) := verdict if {
	verdict := consent.verdict(category, grade) with input as request with data.classes as example.classes
}

test_allow_grade_1_and_2_without_consent if {
	every grade in [1, 2] {
		_verdict(example.support, "transaction", grade) == {"permitted": true, "because": "no_consent_needed"}
	}
}

test_allow_grade_3_after_notice if {
	_verdict(example.support, "contact", 3) == {"permitted": true, "because": "notice_given"}
}

test_deny_grade_4_without_consent if {
	_verdict(example.support, "health", 4) == {"permitted": false, "because": "consent_missing"}
}

test_deny_grade_that_does_not_exist if {
	every grade in [0, 6, null, "3"] {
		_verdict(example.support, "contact", grade).permitted == false
	}
}

test_deny_grade_whose_rule_does_not_exist if {
	verdict := _verdict(example.support, "contact", 3) with data.grades["3"].consent as "maybe"
	verdict == {"permitted": false, "because": "consent_undetermined"}
}

test_allow_nothing_but_public_after_a_full_refusal if {
	request := example.about(example.support, [example.consent("after_sales", "internal", ["*"], "withdrawn")])
	_verdict(request, "reference", 1).permitted == true
	_verdict(request, "reference", 2) == {"permitted": false, "because": "consent_withdrawn"}
}

test_deny_waiver_for_a_grade_that_does_not_exist if {
	_verdict(example.emergency, "identity", 6).permitted == false
}

test_allow_waiver_for_what_exists if _verdict(example.emergency, "identity", 3).permitted == true

test_deny_partner_without_any_consent if _verdict(example.logistics, "reference", 1).permitted == false

test_state_is_complete_when_empty if {
	consent.is_complete with input as {"data_subject": {"consents": [], "flags": []}}
}

test_state_is_not_complete_when_missing_or_malformed if {
	every state in [
		{},
		{"data_subject": {}},
		{"data_subject": {"consents": {}, "flags": []}},
		{"data_subject": {"consents": [], "flags": "opt_out"}},
		{"data_subject": {"consents": ["given"], "flags": []}},
		{"data_subject": {"consents": [{"status": "given", "purpose": "claims", "categories": []}], "flags": []}},
		{"data_subject": {"consents": [{"status": "given", "purpose": "claims", "recipient": "internal"}], "flags": []}},
	] {
		not consent.is_complete with input as state
	}
}
