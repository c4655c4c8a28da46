package sluice.retention_test

import data.sluice.example_test as example

_rule := {"categories": ["transaction"], "resources": ["customer"], "keep": "P7Y"}

_condition := {"resource": "customer", "attribute": "dated", "category": "transaction", "within": "P7Y"}

_answer(request, rules) := answer if {
	answer := data.sluice.decision with input as request
		with data.classes as example.classes
		with data.retention as rules
		with data.catalog as {
			"customer": {"attributes": {"dated": "/created_at"}, "fields": {}},
			"order": {"attributes": {"dated": "/date"}, "fields": {}},
			"employee": {"attributes": {}, "fields": {}},
		}
}

_retention_of(request, rules) := _answer(request, rules).obligations.retention

test_allow_everything_without_rules if {
	_retention_of(example.support, {}) == null
}

test_deny_what_is_older_than_a_rule if {
	_retention_of(example.support, {"t": _rule}) == [_condition]
}

test_deny_in_every_resource_whose_catalog_names_the_date if {
	rule := object.remove(_rule, ["resources"])
	conditions := _retention_of(example.support, {"t": rule})
	{condition.resource | some condition in conditions} == {"customer", "order"}
}

test_deny_by_another_date if {
	rule := object.union(_rule, {"attribute": "ended", "offset": "+08:00"})
	wanted := object.union(_condition, {"attribute": "ended", "offset": "+08:00"})
	_retention_of(example.support, {"t": rule}) == [wanted]
}

test_deny_several_categories_by_several_rules if {
	rules := {
		"t": object.union(_rule, {"categories": ["transaction", "financial"]}),
		"h": object.union(_rule, {"categories": ["health"], "keep": "P5Y"}),
	}
	conditions := _retention_of(example.support, rules)
	{[condition.category, condition.within] | some condition in conditions} == {
		["transaction", "P7Y"],
		["financial", "P7Y"],
		["health", "P5Y"],
	}
}

test_allow_what_is_older_for_a_purpose_that_is_excepted if {
	rule := object.union(_rule, {"except": ["after_sales"]})
	_retention_of(example.support, {"t": rule}) == null
	_retention_of(example.adjuster, {"t": rule}) == [_condition]
}

test_deny_requests_where_a_rule_cannot_be_read if {
	every rule in [{}, object.remove(_rule, ["keep"]), object.union(_rule, {"categories": "transaction"}), {"categories": []}] {
		_retention_of(example.support, {"t": rule}) == [{}]
	}
}

test_deny_where_the_exception_cannot_be_read if {
	rule := object.union(_rule, {"except": "after_sales"})
	_retention_of(example.support, {"t": rule}) == [_condition]
}
