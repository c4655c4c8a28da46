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
	_is_in_effect(grant, input)
	some category in grant.categories
}

# METADATA
# title: A grant covers a category
default covers(_) := false

covers(category) if category in lifted

covers(_) if "*" in lifted

_is_in_effect(grant, request) if {
	object.get(grant, "status", "approved") in {"approved", "active"}
	time.parse_rfc3339_ns(grant.until) > time.parse_rfc3339_ns(request.context.time)
	_has_begun(grant, request.context.time)
	_is_within(grant, "purpose", request.context.purpose)
	_is_within(grant, "resource", request.resource.type)
	_is_within(grant, "subject", request.subject.id)
	_is_for_data_subject(grant, request.resource)
}

_has_begun(grant, _) if not "from" in object.keys(grant)

_has_begun(grant, now) if time.parse_rfc3339_ns(grant.from) <= time.parse_rfc3339_ns(now)

_is_within(grant, member, _) if not member in object.keys(grant)

_is_within(grant, member, value) if grant[member] == value

# An embedded resource (a customer's agent) is asked about under the same id: a grant for one data subject must
# therefore name the resource too, and a list is never one data subject.
_is_for_data_subject(grant, _) if not "data_subject" in object.keys(grant)

_is_for_data_subject(grant, resource) if {
	grant.resource == resource.type
	grant.data_subject == object.get(resource, ["properties", "data_subject"], resource.id)
}
