# METADATA
# title: Grants
# description: Approved, expiring permissions to go beyond the standing rules, narrowed by whatever they name.
package sluice.grants

import data.sluice.purpose

# METADATA
# title: Categories that a grant in effect covers
# description: A grant that names no categories lifts nothing; `*` means every category.
lifted contains category if {
	purpose.tier_settings.grants == true
	input.context.recipient == "internal"
	some grant in input.context.grants
	_is_approved(grant)
	_is_current(grant, input.context.time)
	_is_within(grant, "purpose", input.context.purpose)
	_is_within(grant, "resource", input.resource.type)
	_is_for_data_subject(grant, input.resource.type, _data_subject)
	some category in grant.categories
}

# METADATA
# title: A grant covers a category
default covers(_) := false

covers(category) if category in lifted

covers(_) if "*" in lifted

# Null where the request is about many: then a grant for one data subject does not hold.
default _data_subject := null

_data_subject := input.resource.id

_is_approved(grant) if object.get(grant, "status", "approved") in {"approved", "active"}

_is_current(grant, now) if {
	time.parse_rfc3339_ns(grant.until) > time.parse_rfc3339_ns(now)
	_has_begun(grant, now)
}

_has_begun(grant, _) if not "from" in object.keys(grant)

_has_begun(grant, now) if time.parse_rfc3339_ns(grant.from) <= time.parse_rfc3339_ns(now)

_is_within(grant, member, _) if not member in object.keys(grant)

_is_within(grant, member, value) if grant[member] == value

# An embedded resource (a customer's agent) may be asked about under the same id: a grant for one data subject must
# therefore name the resource too.
_is_for_data_subject(grant, _, _) if not "data_subject" in object.keys(grant)

_is_for_data_subject(grant, type, id) if {
	is_string(id)
	grant.resource == type
	grant.data_subject == id
}
