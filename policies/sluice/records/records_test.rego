package sluice.records_test

import data.sluice.example_test as example

_active := {"resource": "customer", "attribute": "dated", "within": "P6M"}

_own := {"resource": "customer", "attribute": "province", "in": {"subject": "provinces"}}

_answer(request, filters) := answer if {
	answer := data.sluice.decision with input as request
		with data.classes as example.classes
		with data.record_filters as filters
}

_filter_of(request, filters) := _answer(request, filters).obligations.record_filter

test_allow_all_records_without_filters if {
	_filter_of(example.marketer, {}) == null
	example.codes(_answer(example.marketer, {})) == {"role_permits"}
}

test_allow_records_of_a_filter if {
	filters := {"active": {"purposes": ["marketing"], "where": [_active]}}
	_filter_of(example.marketer, filters) == [_active]
	example.codes(_answer(example.marketer, filters)) == {"role_permits", "records_limited"}
}

test_allow_all_records_for_another_purpose if {
	_filter_of(example.support, {"active": {"purposes": ["marketing"], "where": [_active]}}) == null
}

test_allow_all_records_for_another_role if {
	_filter_of(example.support, {"active": {"roles": ["marketer"], "where": [_active]}}) == null
}

test_deny_other_records_for_a_role_among_several if {
	roles := {"subject": {"properties": {"roles": ["support", "marketer"]}}}
	request := example.changed(example.marketer, roles)
	_filter_of(request, {"active": {"roles": ["marketer"], "where": [_active]}}) == [_active]
}

test_deny_other_records_of_a_filter_for_all if {
	_filter_of(example.support, {"active": {"where": [_active]}}) == [_active]
}

test_deny_records_outside_any_of_several_filters if {
	filters := {"active": {"where": [_active]}, "own": {"purposes": ["marketing"], "where": [_own]}}
	{condition | some condition in _filter_of(example.marketer, filters)} == {_active, _own}
}

# Sluice denies an answer with a condition that it cannot read.
test_deny_a_filter_without_conditions if {
	_filter_of(example.marketer, {"active": {"where": []}}) == [{}]
	_filter_of(example.marketer, {"active": {}}) == [{}]
	_filter_of(example.marketer, {"active": {"where": "all"}}) == [{}]
	_filter_of(example.marketer, {"active": null}) == [{}]
}

test_deny_a_filter_whose_scope_is_empty if {
	_filter_of(example.marketer, {"active": {"purposes": [], "where": [_active]}}) == [_active]
	_filter_of(example.marketer, {"active": {"roles": [], "where": [_active]}}) == [_active]
}

test_deny_a_filter_whose_scope_cannot_be_read if {
	_filter_of(example.marketer, {"active": {"purposes": "marketing", "where": [_active]}}) == [_active]
	_filter_of(example.marketer, {"active": {"roles": {"marketer": true}, "where": [_active]}}) == [_active]
	_filter_of(json.remove(example.marketer, ["context/purpose"]), {"active": {"where": [_active]}}) == [_active]
}
