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
		_told[member] == value
	}
}

_told[member] := input.decision_record[member] if some member in ["kind", "outcome", "action", "purpose", "recipient"]

_told["route"] := input.decision_record.request.route

# METADATA
# title: Members that the sink does not get, or of which it gets another value
mask contains {"op": "remove", "path": path} if {
	some pointer in data.sinks[input.sink].erase
	some path in _places(pointer)
}

mask contains {"op": "upsert", "path": path, "value": value} if {
	some pointer, value in data.sinks[input.sink].replace
	some path in _places(pointer)
	_is_there(path)
}

# A record also holds what the policy was asked, which repeats most of it.
_places(pointer) := {
	pointer,
	concat("", ["/input", pointer]),
	concat("", ["/input/context", pointer]),
}

# A replacement shows that something was hidden, so it is not put where nothing is.
default _is_there(_) := false

_is_there(path) if contains(path, "*")

_is_there(path) if object.get(input.decision_record, array.slice(split(path, "/"), 1, 99), null) != null
