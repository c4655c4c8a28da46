package sluice.writing_test

import data.sluice.example_test as example
import data.sluice.writing

_writes(request) := example.changed(request, {"action": {"name": "update"}})

_of(request, mode, category, grade) := choice if {
	choice := writing.of(mode, category, grade, true) with input as request with data.classes as example.classes
}

test_allow_what_is_read_undisguised if {
	_of(_writes(example.support), "as_read", "contact", 3) == {"do": "disclose", "because": "tier_2"}
}

test_allow_free_text_that_is_dropped_as_free_text_alone if {
	_of(_writes(example.support), "as_read", "free_text", 3) == {"do": "disclose", "because": "free_text"}
}

test_allow_free_text_that_is_scrubbed_when_read if {
	tiers := json.patch(data.tiers, [{"op": "replace", "path": "/2/categories/free_text", "value": "scrub"}])
	_of(_writes(example.support), "as_read", "free_text", 3) == {"do": "disclose", "because": "free_text"} with data.tiers as tiers
}

test_deny_what_is_read_masked if _of(_writes(example.support), "as_read", "identity", 3).do == "mask"

test_deny_what_is_not_read if _of(_writes(example.support), "as_read", "health", 4).do == "drop"

test_deny_what_is_never_written if {
	_of(_writes(example.support), "never", "contact", 3) == {"do": "drop", "because": "write_never"}
}

test_allow_what_is_always_written if {
	_of(_writes(example.support), "always", "health", 4) == {"do": "disclose", "because": "write_always"}
}

test_deny_what_is_always_written_outside_an_agreement if {
	choice := writing.of("always", "health", 4, false) with input as _writes(example.support)
	choice == {"do": "drop", "because": "not_in_agreement"}
}

test_deny_what_the_role_does_not_write if {
	every mode in ["as_read", "always"] {
		_of(_writes(example.support), mode, "contact", 3).because == "write_not_for_caller" with data.roles.support.write as ["free_text"]
	}
	_of(_writes(example.support), "as_read", "free_text", 3).do == "disclose" with data.roles.support.write as ["free_text"]
	_of(_writes(example.support), "as_read", "contact", 3).do == "drop" with data.roles.support.write as []
}

test_deny_what_the_purpose_does_not_write if {
	every mode in ["as_read", "always"] {
		_of(_writes(example.support), mode, "contact", 3).because == "write_not_for_caller" with data.purposes.after_sales.write as ["free_text"]
	}
	_of(_writes(example.support), "as_read", "free_text", 3).do == "disclose" with data.purposes.after_sales.write as ["free_text"]
}

test_deny_what_the_data_does_not_settle if {
	every mode in ["sometimes", null, 1, []] {
		_of(_writes(example.support), mode, "contact", 3) == {"do": "drop", "because": "write_undetermined"}
	}
	_of({}, "as_read", "contact", 3).do == "drop"
	_of({}, "always", "contact", 3).do == "drop"
}

test_allow_category_without_a_word_on_writes_as_read if {
	writing.category_mode("weather") == "as_read"
	writing.category_mode("contact") == "as_read" with data.categories.contact as {"title": "x"}
	writing.category_mode("reference") == "never"
}

test_deny_references_staff_and_credentials_to_everybody if {
	answer := example.disclosure(_writes(example.support))
	every class in ["reference/1", "reference/2", "credential/5"] {
		answer.classes[class] == {"do": "drop", "because": "write_never"}
	}
}

test_allow_a_field_whose_line_says_more_than_its_category if {
	fields := {
		"/vip": {"category": "transaction", "grade": 2, "write": "never"},
		"/external_no": {"category": "reference", "grade": 2, "write": "as_read"},
		"/password": {"category": "credential", "grade": 5, "write": "always"},
		"/phone": {"category": "contact", "grade": 3},
	}
	answer := example.disclosure(_writes(example.support)) with data.catalog.customer.fields as fields
	answer.fields == {
		"/vip": {"do": "drop", "because": "write_never"},
		"/external_no": {"do": "disclose", "because": "tier_2"},
		"/password": {"do": "disclose", "because": "write_always"},
	}
}

test_deny_write_modes_a_say_in_what_is_read if {
	fields := {"/password": {"category": "credential", "grade": 5, "write": "always"}}
	answer := example.disclosure(example.support) with data.catalog.customer.fields as fields
	answer.fields == {}
}
