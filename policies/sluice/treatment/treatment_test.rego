package sluice.treatment_test

import data.sluice.example_test as example
import data.sluice.treatment

_of(request, category, grade, agreed) := choice if {
	choice := treatment.of(category, grade, agreed) with input as request with data.classes as example.classes
}

test_allow_class_within_every_limit if {
	_of(example.support, "transaction", 2, true) == {"do": "disclose", "because": "tier_2"}
}

test_deny_class_outside_the_agreement if {
	_of(example.support, "transaction", 2, false) == {"do": "drop", "because": "not_in_agreement"}
}

test_deny_class_without_category_or_grade if {
	every pair in [[null, 2], ["transaction", null], ["", 0], [[], {}]] {
		_of(example.support, pair[0], pair[1], true).do == "drop"
	}
}

test_deny_everything_when_data_is_missing if {
	_of(example.support, "contact", 3, true).do == "drop" with data.grades as {}
	_of(example.support, "contact", 3, true).do == "drop" with data.categories as {}
	_of(example.support, "contact", 3, true).do == "drop" with data.tiers as {}
	_of(example.support, "contact", 3, true).do == "drop" with data.purposes as {}
	_of(example.support, "contact", 3, true).do == "drop" with data.roles as {}
}

test_deny_everything_to_nobody if _of({}, "contact", 3, true).do == "drop"

test_deny_above_a_limit_that_the_data_does_not_settle if {
	low := example.changed(example.support, {"subject": {"properties": {"clearance": 2}}})
	_of(low, "contact", 3, true).do == "drop" with data.grades["3"].above_limit as "sing"
}

test_deny_treatment_that_does_not_exist if {
	_of(example.support, "contact", 3, true).do == "drop" with data.tiers["2"].categories.contact as "sing"
}
