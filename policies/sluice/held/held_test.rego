package sluice.held_test

import data.sluice.example_test as example
import data.sluice.held

_auditor := example.changed(
	example._request(example._subject("u-50", "auditor", "audit", 3, ["pwd", "hwk"]), "compliance_audit", "internal"),
	{"context": {"justification": "audit 2026-11"}},
)

_asked(flags) := example.disclosure(example.flagged(_auditor, flags))

_leaving(answer) := {class | some class, choice in answer.classes; choice.do != "drop"}

test_allow_what_is_held_to_a_purpose_that_the_flag_names if {
	some flag in ["erasure_pending", "erased"]
	answer := _asked([flag, "held:transaction"])
	answer.disclose == true
	_leaving(answer) == {"transaction/2"}
	answer.classes["contact/3"] == {"do": "drop", "because": "under_erasure"}
}

test_deny_everything_where_nothing_is_held if {
	every flag in ["erasure_pending", "erased"] {
		answer := _asked([flag])
		answer.disclose == false
		example.codes(answer) == {flag}
	}
}

test_deny_what_is_held_to_other_purposes if {
	every request in [example.support, example.emergency, example.investigator, example.marketer] {
		answer := example.disclosure(example.flagged(request, ["erasure_pending", "held:transaction"]))
		answer.disclose == false
	}
}

test_deny_what_is_held_where_another_flag_withholds if {
	answer := _asked(["erasure_pending", "held:transaction", "frozen"]) with data.flags.frozen as {
		"title": "Frozen",
		"withholds": "record",
	}
	answer.disclose == false
	example.codes(answer) == {"frozen"}
}

test_allow_no_more_than_without_a_hold if {
	plain := _leaving(_asked([]))
	every category in ["transaction", "contact", "identity", "health", "credential"] {
		limited := _leaving(_asked(["erased", concat(":", ["held", category])]))
		every class in limited {
			class in plain
		}
	}
}

test_deny_writing_what_is_held if {
	request := example.changed(example.flagged(_auditor, ["erased", "held:transaction"]), {"action": {"name": "update"}})
	example.disclosure(request).disclose == false
}

_officer(action, flags) := example.disclosure(example.changed(
	example.flagged(
		example._request(example._subject("u-60", "dpo", "legal", 4, ["pwd", "hwk"]), "data_subject_request", "internal"),
		flags,
	),
	{"action": {"name": action}, "context": {"justification": "request 019ad1f0"}},
))

test_deny_deleting_a_record_of_which_something_is_held if {
	_officer("delete", ["erasure_pending"]).disclose == true
	answer := _officer("delete", ["erasure_pending", "held:transaction"])
	answer.disclose == false
	example.codes(answer) == {"under_hold"}
}

test_deny_changing_what_is_held if {
	answer := _officer("update", ["erasure_pending", "held:contact"])
	answer.disclose == true
	answer.classes["contact/3"] == {"do": "drop", "because": "under_hold"}
	answer.classes["transaction/2"] == _officer("update", ["erasure_pending"]).classes["transaction/2"]
}

test_deny_single_fields_of_a_role if {
	fields := {"customer": {"/name": "transaction/2"}}
	answer := _asked(["erased", "held:transaction"]) with data.roles.auditor.fields as fields
	answer.fields["/name"] == {"do": "drop", "because": "under_erasure"}
}

test_allow_a_hold_alone_changes_nothing if {
	_asked(["held:transaction"]) == _asked([])
}

test_deny_what_a_malformed_list_names if {
	answer := _asked(["erased", "held:transaction"]) with data.flags.erased.held_for as "compliance_audit"
	answer.disclose == false
}

test_held_categories if {
	held.categories == {"transaction", "health"} with input.data_subject.flags as ["held:transaction", "held:health", "vip"]
	held.categories == set() with input.data_subject.flags as []
}
