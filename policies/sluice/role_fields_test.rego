package sluice.role_fields_test

import data.sluice.example_test as example

_lines := {
	"/id": {"category": "reference", "grade": 1},
	"/name": {"category": "identity", "grade": 3},
	"/id_number": {"category": "identity", "grade": 4},
	"/phone": {"category": "contact", "grade": 3},
	"/password": {"category": "credential", "grade": 5},
	"/bank_card": {"category": "financial", "grade": 4},
	"/claims/*/diagnosis": {"category": "health", "grade": 4},
	"/orders/*/item": {"category": "transaction", "grade": 2},
}

_answer(request, roles) := answer if {
	answer := example.disclosure(request) with data.catalog.customer.fields as _lines
		with data.roles as object.union(data.roles, roles)
}

_support(fields) := {"support": object.union(data.roles.support, {"fields": {"customer": fields}})}

# A role like that of support, with other categories and fields.
_other(categories, fields) := {"other": object.union(
	object.remove(data.roles.support, ["categories"]),
	{"categories": categories, "fields": {"customer": fields}},
)}

_both := example.changed(example.support, {"subject": {"properties": {"roles": ["support", "other"]}}})

_other_alone := example.changed(example.support, {"subject": {"properties": {"roles": ["other"]}}})

_forbidden := {"do": "drop", "because": "field_not_for_role"}

test_deny_field_that_the_role_forbids if {
	answer := _answer(example.support, _support({"/phone": "never"}))
	answer.fields == {"/phone": _forbidden}
	answer.classes["contact/3"].do == "disclose"
}

test_deny_writing_a_field_that_the_role_forbids if {
	lines := {"/phone": {"category": "contact", "grade": 3, "write": "always"}}
	request := example.changed(example.support, {"action": {"name": "update"}})
	answer := example.disclosure(request) with data.catalog.customer.fields as lines
		with data.roles.support.fields as {"customer": {"/phone": "never"}}
	answer.fields == {"/phone": _forbidden}
}

test_allow_field_that_the_role_may_see if {
	answer := _answer(example.support, _support({"/claims/*/diagnosis": "transaction/2"}))
	answer.fields == {"/claims/*/diagnosis": {"do": "disclose", "because": "tier_2"}}
	answer.classes["health/4"].do == "drop"
}

test_deny_field_that_a_role_may_see_as_a_class_it_may_not if {
	answer := _answer(example.support, _support({"/claims/*/diagnosis": "health/4"}))
	answer.fields["/claims/*/diagnosis"].do == "drop"
}

# One acting role by itself has to see what both see.

test_allow_field_that_another_role_sees_by_itself if {
	roles := object.union(_support({"/phone": "never"}), _other({"contact": "use"}, {}))
	_answer(_both, roles).fields == {"/phone": {"do": "disclose", "because": "tier_2"}}
}

test_deny_field_that_neither_role_sees_by_itself if {
	roles := object.union(_support({"/phone": "never"}), _other({"transaction": "use"}, {}))
	_answer(_both, roles).fields["/phone"].do == "drop"
}

test_deny_class_of_one_role_with_the_category_of_another if {
	fields := {"/id_number": "contact/2"}
	roles := object.union(_support({}), _other({"transaction": "use"}, fields))
	_answer(_other_alone, roles).fields["/id_number"].do == "drop"
	_answer(_both, roles).fields["/id_number"].do == "drop"
}

test_deny_above_the_grade_of_the_role_that_names_the_field if {
	low := object.union(
		_other({"contact": "use"}, {"/bank_card": "contact/3"}).other,
		{"max_grade": 2},
	)
	_answer(_both, object.union(_support({}), {"other": low})).fields["/bank_card"].do == "mask"
}

test_deny_secret_whatever_class_a_role_gives_it if {
	answer := _answer(example.support, _support({"/password": "transaction/2"}))
	answer.fields["/password"] == {"do": "drop", "because": "never_leaves"}
}

test_deny_field_that_the_catalog_does_not_have if {
	answer := _answer(example.support, _support({"/nothing": "transaction/2"}))
	answer.fields["/nothing"].do == "drop"
}

# A role adds nothing to an agreement, and takes from it.

test_deny_field_that_a_role_adds_to_an_agreement if {
	request := example.about(
		example.logistics,
		[example.consent("delivery", "swift_logistics", ["identity", "contact"], "given")],
	)
	[name] := request.subject.properties.roles
	fields := {"/id_number": "contact/3", "/claims/*/diagnosis": "contact/3", "/orders/*/item": "never"}
	answer := _answer(request, {name: object.union(data.roles[name], {"fields": {"customer": fields}})})
	object.keys(answer.fields) == {"/orders/*/item", "/orders/*/order_no", "/orders/*/status"}
	answer.fields["/orders/*/item"] == _forbidden
	answer.fields["/orders/*/status"].do == "disclose"
	answer.classes["identity/4"].do == "drop"
}

# What cannot be read forbids all that the role would see.

test_deny_everything_to_a_role_whose_fields_cannot_be_read if {
	every said in ["Never", "never ", "nevr", null, false, ["never"], "contact", "contact/9", "nothing/2", 3, ""] {
		_answer(example.support, _support({"/phone": said})).disclose == false
	}
	every fields in [["/phone"], "never", null, {"customer": ["/phone"]}, {"customer": "never"}] {
		roles := {"support": object.union(data.roles.support, {"fields": fields})}
		_answer(example.support, roles).disclose == false
	}
}

test_allow_everything_else_to_a_role_without_fields if _answer(example.support, {}).fields == {}
