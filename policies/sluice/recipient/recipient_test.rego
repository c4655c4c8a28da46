package sluice.recipient_test

import data.sluice.example_test as example

_logistics := data.partners.swift_logistics

_asked(request, partner) := answer if {
	answer := data.sluice.decision with input as request
		with data.classes as example.classes
		with data.partners.swift_logistics as partner
}

_from(day) := example.changed(_logistics, {"qualification": {"from": day}})

_codes(partner) := example.codes(_asked(example.logistics, partner))

test_allow_assessed_and_committed_partner if _asked(example.logistics, _logistics).allow == true

test_deny_partner_that_nobody_assessed if {
	_codes(object.remove(_logistics, ["qualification"])) == {"qualification_missing"}
}

test_deny_partner_whose_assessment_begins_tomorrow if {
	_codes(_from("2026-11-23")) == {"qualification_missing"}
	_asked(example.logistics, _from("2026-11-22")).allow == true
}

test_deny_partner_whose_assessment_has_ended if {
	_codes(example.changed(_logistics, {"qualification": {"until": "2026-11-21"}})) == {"qualification_expired"}
}

test_allow_partner_on_the_last_day_of_its_assessment if {
	_asked(example.logistics, example.changed(_logistics, {"qualification": {"until": "2026-11-22"}})).allow == true
}

test_deny_partner_that_has_signed_nothing if {
	_codes(object.remove(_logistics, ["commitment"])) == {"commitment_missing"}
}

test_deny_partner_whose_commitment_has_ended if {
	_codes(example.changed(_logistics, {"commitment": {"until": "2026-11-21"}})) == {"commitment_expired"}
}

test_deny_partner_without_dates if {
	every path in ["qualification/from", "qualification/until", "commitment/from", "commitment/until"] {
		_asked(example.logistics, json.remove(_logistics, [path])).allow == false
	}
}

test_deny_partner_that_has_not_confirmed_in_time if {
	request := example.changed(example.logistics, {"context": {"confirmations": {"open": 2, "overdue": 1}}})
	answer := _asked(request, _logistics)
	answer.allow == false
	example.codes(answer) == {"confirmation_overdue"}
}

test_allow_partner_that_still_has_time_to_confirm if {
	request := example.changed(example.logistics, {"context": {"confirmations": {"open": 2, "overdue": 0}}})
	_asked(request, _logistics).allow == true
}

test_deny_confirmations_that_cannot_be_read if {
	every confirmations in [null, {}, {"open": 0}, {"open": 0, "overdue": null}] {
		request := example.changed(example.logistics, {"context": {"confirmations": confirmations}})
		_asked(request, _logistics).allow == false
	}
}

test_allow_an_emergency_whatever_was_not_confirmed if {
	data.sluice.recipient.has_confirmed with data.sluice.purpose.tier as 1
		with input as {"context": {"confirmations": {"open": 1, "overdue": 1}}}
}

test_internal_recipients_need_no_assessment if {
	count(data.sluice.recipient.reasons) == 0 with input as {"context": {"recipient": "internal", "time": "2026-11-22T08:00:00Z"}}
}
