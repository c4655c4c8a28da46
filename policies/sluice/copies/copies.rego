# METADATA
# title: Copies for sinks
# description: Which records a sink does not get, and which members of a record. A sink that data/sinks.yaml does not name gets everything.
package sluice.copies

# METADATA
# title: The sink does not get the record
default drop := false

drop if {
	some condition in data.sinks[input.sink].drop
	every member, value in condition {
		_is(member, value)
	}
}

# One rule for each member, so that only these are taken out of a record.
_is("kind", value) if input.decision_record.kind == value

_is("outcome", value) if input.decision_record.outcome == value

_is("action", value) if input.decision_record.action == value

_is("purpose", value) if input.decision_record.purpose == value

_is("recipient", value) if input.decision_record.recipient == value

_is("route", value) if input.decision_record.request.route == value

# METADATA
# title: Members that the sink does not get, or of which it gets another value
mask contains {"op": "remove", "path": path} if {
	some pointer in data.sinks[input.sink].erase
	some path in _places(pointer)
}

mask contains {"op": "replace", "path": path, "value": value} if {
	some pointer, value in data.sinks[input.sink].replace
	some path in _places(pointer)
}

# A record also holds what the policy was asked, which repeats most of it.
_places(pointer) := [
	pointer,
	concat("", ["/input", pointer]),
	concat("", ["/input/context", pointer]),
]
