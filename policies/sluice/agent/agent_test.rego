package sluice.agent_test

import data.sluice.agent
import data.sluice.example_test as example

_agents := {"helper": {
	"title": "Helper",
	"issuer": "https://idp.example",
	"purposes": ["after_sales"],
	"actions": ["read"],
	"tiers": [2],
	"categories": ["contact", "reference"],
	"max_grade": 3,
	"max_records": 5,
}}

_actor := {
	"id": "helper",
	"issuer": "https://idp.example",
	"chain": [],
	"properties": {"client_id": null, "known_by": "actor", "roles": []},
}

_by(request, actor) := json.patch(request, [{"op": "add", "path": "/context/agent", "value": actor}])

_decided(request) := answer if {
	answer := data.sluice.decision with input as request
		with data.classes as example.classes
		with data.agents as _agents
}

_disclosed(request) := answer if {
	answer := data.sluice.disclosure with input as request
		with data.classes as example.classes
		with data.agents as _agents
}

_codes(request) := example.codes(_decided(request))

test_allow_agent_within_its_ceiling if _decided(_by(example.support, _actor)).allow

test_allow_person_without_an_agent if _decided(example.support).allow

test_deny_agent_that_the_policy_does_not_know if {
	_codes(_by(example.support, example.changed(_actor, {"id": "stranger"}))) == {"agent_unknown"}
}

test_deny_agent_of_another_issuer if {
	_codes(_by(example.support, example.changed(_actor, {"issuer": "https://other.example"}))) == {"agent_unknown"}
}

test_deny_agent_that_cannot_be_read if {
	every actor in [null, false, true, "", "helper", [], {}, {"id": null}, {"id": "helper"}] {
		_decided(_by(example.support, actor)).allow == false
		"agent_unknown" in _codes(_by(example.support, actor))
	}
}

test_deny_agent_for_another_purpose if {
	_codes(_by(example.changed(example.support, {"context": {"purpose": "order_processing"}}), _actor)) & {"agent_purpose_not_allowed"} == {"agent_purpose_not_allowed"}
}

test_deny_agent_another_action if {
	_codes(_by(example.changed(example.support, {"action": {"name": "search"}}), _actor)) == {"agent_action_not_allowed"}
}

test_deny_agent_in_another_tier if {
	request := _by(example.support, _actor)
	answer := data.sluice.decision with input as request
		with data.classes as example.classes
		with data.agents as example.changed(_agents, {"helper": {"tiers": []}})
	example.codes(answer) == {"agent_tier_not_allowed"}
}

test_deny_agent_where_the_purpose_is_for_people if {
	request := _by(example.support, _actor)
	answer := data.sluice.decision with input as request
		with data.classes as example.classes
		with data.agents as _agents
		with data.purposes.after_sales as example.changed(data.purposes.after_sales, {"agents": false})
	example.codes(answer) == {"agent_not_admitted"}
}

test_deny_agent_whose_ceiling_lacks_a_member if {
	every member in ["purposes", "actions", "tiers"] {
		answer := data.sluice.decision with input as _by(example.support, _actor)
			with data.classes as example.classes
			with data.agents.helper as object.remove(_agents.helper, [member])
		answer.allow == false
	}
}

test_agent_gets_no_more_records_than_its_ceiling if {
	_decided(_by(example.support, _actor)).obligations.max_records == 5
	_decided(example.support).obligations.max_records > 5
}

test_agent_gets_no_class_outside_its_ceiling if {
	alone := _disclosed(example.support).classes
	with_agent := _disclosed(_by(example.support, _actor)).classes
	alone["transaction/2"].do == "disclose"
	with_agent["transaction/2"] == {"do": "drop", "because": "agent_ceiling"}
	with_agent["reference/1"] == alone["reference/1"]
	with_agent["contact/3"] == alone["contact/3"]
}

test_deny_class_above_the_grade_of_the_agent if {
	agent.may_have("contact", 3) with input as _by(example.support, _actor) with data.agents as _agents
	agent.may_have("contact", 4) == false with input as _by(example.support, _actor) with data.agents as _agents
	agent.may_have("contact", null) == false with input as _by(example.support, {}) with data.agents as _agents
}

test_deny_grant_that_would_lift_the_ceiling if {
	request := example.granted(_by(example.adjuster, _actor), [{"id": "g", "until": "2027-01-01T00:00:00Z"}])
	every _, choice in _disclosed(request).classes {
		choice.do == "drop"
	}
}

test_deny_write_outside_the_ceiling_whatever_the_mode if {
	every mode in ["always", "as_read", "never"] {
		choice := data.sluice.writing.of(mode, "transaction", 2, true) with input as _by(example.support, _actor)
			with data.classes as example.classes
			with data.agents as _agents
		choice == {"do": "drop", "because": "agent_ceiling"}
	}
}

test_deny_write_of_a_mode_that_nobody_knows if {
	every by in [_by(example.support, _actor), example.support] {
		choice := data.sluice.writing.of("sing", "contact", 3, true) with input as by
			with data.classes as example.classes
			with data.agents as _agents
		choice.do == "drop"
	}
}

test_whatever_stands_there_is_an_agent if {
	every odd in [false, null, 0, "", [], {}] {
		agent.is_present with input as _by(example.support, odd)
		_decided(_by(example.support, odd)).allow == false
	}
}
