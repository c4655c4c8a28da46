package sluice.verification_test

import data.sluice.example_test as example

_methods(request, rules) := answer.obligations.subject_verification if {
	answer := data.sluice.decision with input as request
		with data.classes as example.classes
		with data.subject_verification as rules
}

test_allow_without_rules if _methods(example.support, {}) == null

test_deny_without_a_proof_of_the_rule if {
	_methods(example.support, {"desk": {"methods": ["code", "case"]}}) == ["case", "code"]
}

test_allow_elsewhere if {
	_methods(example.support, {"desk": {"purposes": ["claims"], "methods": ["case"]}}) == null
	_methods(example.support, {"desk": {"actions": ["export"], "methods": ["case"]}}) == null
	_methods(example.support, {"desk": {"resources": ["employee"], "methods": ["case"]}}) == null
	_methods(example.support, {"desk": {"roles": ["adjuster"], "methods": ["case"]}}) == null
}

test_deny_a_rule_whose_scope_is_empty if {
	every list in ["purposes", "actions", "resources", "roles"] {
		_methods(example.support, {"desk": {list: [], "methods": ["case"]}}) == ["case"]
	}
}

test_deny_where_all_parts_fit if {
	rule := {
		"purposes": ["after_sales"],
		"actions": ["read"],
		"resources": ["customer"],
		"roles": ["support", "adjuster"],
		"methods": ["case"],
	}
	_methods(example.support, {"desk": rule}) == ["case"]
}

test_deny_all_but_what_every_rule_accepts if {
	rules := {"desk": {"methods": ["case", "code"]}, "sensitive": {"methods": ["code", "assertion"]}}
	_methods(example.support, rules) == ["code"]
}

# Sluice denies an answer whose list is empty.
test_deny_rules_that_exclude_each_other if {
	_methods(example.support, {"a": {"methods": ["case"]}, "b": {"methods": ["code"]}}) == []
}

test_deny_a_rule_that_cannot_be_read if {
	_methods(example.support, {"desk": {}}) == []
	_methods(example.support, {"desk": {"methods": "case"}}) == []
	_methods(example.support, {"desk": null}) == []
	_methods(example.support, {"desk": {"purposes": "claims", "methods": ["case"]}}) == ["case"]
	_methods(json.remove(example.support, ["context/purpose"]), {"desk": {"methods": ["case"]}}) == ["case"]
}

test_allow_elsewhere_without_action_and_resource if {
	rule := {"actions": ["export"], "resources": ["employee"], "methods": ["case"]}
	_methods(json.remove(example.support, ["action", "resource"]), {"desk": rule}) == null
	_methods(json.remove(example.support, ["action", "resource"]), {"desk": {"methods": ["case"]}}) == ["case"]
}
