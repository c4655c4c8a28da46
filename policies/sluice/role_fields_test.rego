package sluice.role_fields_test

import data.sluice.example_test as example

_identity := ["identity", "contact"]

test_deny_field_that_the_role_forbids if {
	fields := {"customer": {"/phone": "never"}}
	answer := example.disclosure(example.support) with data.roles.support.fields as fields
	answer.fields == {"/phone": {"do": "drop", "because": "field_not_for_role"}}
	answer.classes["contact/3"].do == "disclose"
}

test_deny_writing_a_field_that_the_role_forbids if {
	lines := {"/phone": {"category": "contact", "grade": 3, "write": "always"}}
	request := example.changed(example.support, {"action": {"name": "update"}})
	answer := example.disclosure(request) with data.catalog.customer.fields as lines
		with data.roles.support.fields as {"customer": {"/phone": "never"}}
	answer.fields == {"/phone": {"do": "drop", "because": "field_not_for_role"}}
}

test_allow_field_that_another_acting_role_does_not_forbid if {
	both := example.changed(example.support, {"subject": {"properties": {"roles": ["support", "twin"]}}})
	twin := data.roles.support
	answer := example.disclosure(both) with data.roles.twin as twin
		with data.roles.support.fields as {"customer": {"/phone": "never"}}
	answer.fields == {}
}

test_allow_field_that_the_role_may_see if {
	fields := {"customer": {"/claims/*/diagnosis": "transaction/2"}}
	answer := example.disclosure(example.support) with data.roles.support.fields as fields
	answer.fields == {"/claims/*/diagnosis": {"do": "disclose", "because": "tier_2"}}
	answer.classes["health/4"].do == "drop"
}

test_deny_field_that_a_role_may_see_as_a_class_it_may_not if {
	fields := {"customer": {"/claims/*/diagnosis": "health/4"}}
	answer := example.disclosure(example.support) with data.roles.support.fields as fields
	answer.fields["/claims/*/diagnosis"].do == "drop"
}

test_allow_mildest_of_two_roles if {
	both := example.changed(example.support, {"subject": {"properties": {"roles": ["support", "twin"]}}})
	twin := object.union(data.roles.support, {"fields": {"customer": {"/name": "reference/1"}}})
	answer := example.disclosure(both) with data.roles.twin as twin
		with data.roles.support.fields as {"customer": {"/name": "identity/3"}}
	answer.fields["/name"].do == "disclose"
}

test_deny_field_that_a_role_adds_to_an_agreement if {
	request := example.about(example.logistics, [example.consent("delivery", "swift_logistics", _identity, "given")])
	[name] := request.subject.properties.roles
	fields := {"customer": {"/bank_card": "financial/4", "/orders/*/item": "never"}}
	roles := object.union(data.roles, {name: {"fields": fields}})
	answer := example.disclosure(request) with data.roles as roles
	answer.fields["/bank_card"] == {"do": "drop", "because": "not_in_agreement"}
	answer.fields["/orders/*/item"] == {"do": "drop", "because": "field_not_for_role"}
	answer.fields["/orders/*/status"].do == "disclose"
}

test_deny_fields_of_a_role_in_a_form_that_nobody_knows if {
	every said in ["contact", "contact/9", "", 3, null, ["contact/3"]] {
		answer := example.disclosure(example.support) with data.roles.support.fields as {"customer": {"/id_number": said}}
		object.get(answer.fields, "/id_number", {"do": "drop"}).do == "drop"
	}
}
