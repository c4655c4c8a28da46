# METADATA
# title: Administration
# description: Who may look at and change what is in force by the admin API. What data/admin.yaml does not name is denied.
package sluice.administration

import data.sluice.subject

# METADATA
# title: The call is permitted
default allow := false

allow if {
	_is_permitted
	_has_factor
	_gives_within
}

default _is_permitted := false

_is_permitted if count(_acting) > 0

_is_permitted if _is_own

_is_permitted if _is_own_recipient

# Roles under which the caller may do this.
_acting contains name if {
	_is_ours
	some name in input.subject.properties.roles
	_permits(data.admin.roles[name], input.subject.type, input.action.name)
}

default _is_own := false

_is_own if {
	_is_ours
	input.resource.properties.holder == input.subject.id
	_permits(data.admin.own, input.subject.type, input.action.name)
}

# A partner, about what it has received itself: also when its agreement has ended, since it then still has data.
default _is_own_recipient := false

_is_own_recipient if {
	_is_ours == false
	data.partners[input.subject.properties.organization]
	input.resource.properties.recipient == input.subject.properties.organization
	_permits(data.admin.partners, input.subject.type, input.action.name)
}

default _is_ours := false

_is_ours if input.subject.properties.organization == "internal"

default _permits(_, _, _) := false

_permits(settings, type, operation) if {
	type in settings.subject_types
	operation in settings.operations
}

# What the call gives is what one of the roles may give.
default _gives_within := false

_gives_within if _given == null

_gives_within if {
	some name in _acting
	_may_give(data.admin.roles[name].gives, _given)
}

# A `not` on the input would be taken for that of another entrypoint by OPA's optimizer.
default _given := null

_given := input.resource.properties.gives

default _may_give(_, _) := false

_may_give(limits, given) if {
	every role in given.roles {
		role in limits.roles
	}
	given.subject_type in limits.subject_types
	_is_among(given.organization, limits.organizations)
	_clearance(given) <= limits.clearance
	given.days <= limits.days
}

default _is_among(_, _) := false

_is_among(organization, organizations) if organization in organizations

_is_among(_, organizations) if "*" in organizations

_clearance(given) := 0 if given.clearance == null

_clearance(given) := given.clearance if given.clearance != null

default _has_factor := false

_has_factor if input.action.properties.changes == false

_has_factor if subject.has_mfa

_has_factor if {
	some name in _acting
	data.admin.roles[name].mfa == "exempt"
}

_has_factor if {
	_is_own_recipient
	data.admin.partners.mfa == "exempt"
}

# METADATA
# title: Why the call is permitted, or is not
# description: Messages name what stands in the policy's data and never what came with the call.
reasons contains {"code": "operation_not_permitted", "message": message} if {
	_is_permitted == false
	message := "None of the caller's roles permits this operation (admin in the policy's data)."
}

reasons contains {"code": "mfa_required", "message": "A change needs a second factor."} if {
	_is_permitted
	_has_factor == false
}

reasons contains {"code": "giving_not_permitted", "message": message} if {
	_is_permitted
	_gives_within == false
	message := "None of the caller's roles may give these roles, or to such a subject, or for so long (gives in admin of the policy's data)."
}

reasons contains {"code": "role_permits", "message": message} if {
	allow
	some name in _acting
	message := concat("", ["Role ", name, " permits this operation."])
}

reasons contains {"code": "own_access", "message": "The caller's own access."} if {
	allow
	_is_own
}

reasons contains {"code": "own_recipient", "message": "What the caller's own organisation has received."} if {
	allow
	_is_own_recipient
}

# METADATA
# title: The stronger authentication that is all that is missing
default step_up := null

step_up := data.assurance.step_up if {
	_is_permitted
	_gives_within
	_has_factor == false
}
