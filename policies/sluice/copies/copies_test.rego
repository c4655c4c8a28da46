package sluice.copies_test

_record := {
	"kind": "disclosure",
	"outcome": "modified",
	"action": "read",
	"purpose": "after_sales",
	"recipient": "internal",
	"subject": {"type": "user", "id": "u-21", "properties": {"roles": ["adjuster"]}},
	"justification": "工单 8001",
	"request": {"method": "GET", "route": "GET /api/customers/{id}", "path": "/api/customers/{id}", "client_ip": "10.0.0.7"},
	"disclosure": {"data_subjects": ["hmac:1", "hmac:2"]},
	"input": {
		"subject": {"type": "user", "id": "u-21", "properties": {"roles": ["adjuster"]}},
		"context": {"justification": "工单 8001"},
	},
}

_sinks := {
	"syslog:siem": {"drop": [{"outcome": "observed"}, {"kind": "disclosure", "route": "GET /health"}]},
	"http:partner": {
		"erase": ["/justification", "/disclosure/data_subjects/*"],
		"replace": {"/subject/id": "[masked]"},
	},
}

_answer(sink, changes) := answer if {
	answer := data.sluice.log with input as {"decision_record": object.union(_record, changes), "sink": sink}
		with data.sinks as _sinks
}

test_allow_what_no_condition_names if {
	_answer("syslog:siem", {}) == {"drop": false, "mask": set()}
}

test_deny_what_a_condition_names if {
	_answer("syslog:siem", {"outcome": "observed"}).drop == true
	_answer("syslog:siem", {"request": {"route": "GET /health"}}).drop == true
}

test_allow_where_a_condition_holds_in_part if {
	_answer("syslog:siem", {"kind": "admin", "request": {"route": "GET /health"}}).drop == false
}

test_allow_everything_to_a_sink_that_is_not_named if {
	_answer("http:other", {"outcome": "observed"}) == {"drop": false, "mask": set()}
}

test_allow_everything_where_no_sink_is_named if {
	answer := data.sluice.log with input as {"decision_record": _record, "sink": "http:partner"} with data.sinks as {}
	answer == {"drop": false, "mask": set()}
}

test_allow_a_record_without_the_members if {
	answer := data.sluice.log with input as {"decision_record": {}, "sink": "syslog:siem"} with data.sinks as _sinks
	answer == {"drop": false, "mask": set()}
}

test_deny_members_wherever_a_record_repeats_them if {
	mask := _answer("http:partner", {}).mask
	{entry.path | some entry in mask; entry.op == "replace"; entry.value == "[masked]"} == {
		"/subject/id",
		"/input/subject/id",
		"/input/context/subject/id",
	}
	{entry.path | some entry in mask; entry.op == "remove"} == {
		"/justification",
		"/input/justification",
		"/input/context/justification",
		"/disclosure/data_subjects/*",
		"/input/disclosure/data_subjects/*",
		"/input/context/disclosure/data_subjects/*",
	}
}

test_deny_by_each_member_of_a_condition if {
	every member, value in {
		"kind": "disclosure",
		"outcome": "modified",
		"action": "read",
		"purpose": "after_sales",
		"recipient": "internal",
		"route": "GET /api/customers/{id}",
	} {
		_dropped({member: value})
		not _dropped({member: "another"})
	}
}

_dropped(condition) if {
	answer := data.sluice.log with input as {"decision_record": _record, "sink": "stdout"}
		with data.sinks as {"stdout": {"drop": [condition]}}
	answer.drop == true
}
