# METADATA
# title: The caller
# description: In which of their roles a caller acts for this request, and how far that reaches.
package sluice.subject

# METADATA
# title: Roles of the caller that the policy knows
known contains name if {
	some name in input.subject.properties.roles
	data.roles[name]
}

# METADATA
# title: Known roles that serve the purpose of this request
serving contains name if {
	some name in known
	input.context.purpose in data.roles[name].purposes
}

# METADATA
# title: Roles that fit the request in every point
# description: What one role may see is never mixed with what another may do.
acting contains name if {
	some name in serving
	count(misfits[name]) == 0
}

# METADATA
# title: Why a serving role does not fit
misfits[name] := codes if {
	some name in serving
	codes := {code | some code, fits in _fits(data.roles[name], _asked); fits == false}
}

# Each part by its own path, and none of the input as a whole: answers are cached by the paths that are read.
_asked := {
	"type": _type,
	"action": _action,
	"resource": _resource,
	"recipient": _recipient,
	"department": _department,
	"organization": _organization,
}

default _type := null

_type := input.subject.type

default _action := null

_action := input.action.name

default _resource := null

_resource := input.resource.type

default _recipient := null

_recipient := input.context.recipient

default _department := null

_department := input.subject.properties.department

default _organization := null

_organization := input.subject.properties.organization

_fits(role, asked) := {
	"subject_type_not_allowed": asked.type in role.subject_types,
	"department_not_allowed": _is_in_department(role, asked.department),
	"action_not_allowed": asked.action in role.actions,
	"resource_not_allowed": asked.resource in role.resources,
	"recipient_not_allowed": _may_receive(role.recipients, asked),
	"fields_malformed": _has_sound_fields(role),
}

default _is_in_department(_, _) := false

_is_in_department(role, _) if not "departments" in object.keys(role)

_is_in_department(role, department) if department in role.departments

# Our own people receive for us; a partner's people receive for their own organisation only.
default _may_receive(_, _) := false

_may_receive("internal", asked) if {
	asked.organization == "internal"
	asked.recipient == "internal"
}

_may_receive("any", asked) if asked.organization == "internal"

_may_receive("own", asked) if {
	asked.organization == asked.recipient
	is_string(asked.organization)
	asked.organization != "internal"
}

# METADATA
# title: Categories that an acting role works with
used contains category if {
	some name in acting
	some category, "use" in data.roles[name].categories
}

# METADATA
# title: Categories that an acting role needs to recognise somebody by
recognised contains category if {
	some name in acting
	some category, "recognise" in data.roles[name].categories
}

# METADATA
# title: Single fields that an acting role says something of
named contains pointer if {
	some name in acting
	some pointer, _ in data.roles[name].fields[input.resource.type]
}

# METADATA
# title: Single fields that an acting role forbids
forbidden contains pointer if {
	some name in acting
	some pointer, "never" in data.roles[name].fields[input.resource.type]
}

# METADATA
# title: What a role says of a single field
# description: "`never`, the class that the field is judged by, or null where it says nothing."
default said(_, _) := null

said(name, pointer) := data.roles[name].fields[input.resource.type][pointer]

# A role whose fields are in a form that nobody knows does not act: what it meant to forbid would be seen.
default _has_sound_fields(_) := false

_has_sound_fields(role) if not "fields" in object.keys(role)

_has_sound_fields(role) if {
	is_object(role.fields)
	every fields in role.fields {
		is_object(fields)
		every words in fields {
			_is_sound(words)
		}
	}
}

default _is_sound(_) := false

_is_sound("never")

_is_sound(words) if {
	regex.match(`^[a-z][a-z0-9_]*/[1-5]$`, words)
	split(words, "/")[0] in object.keys(data.categories)
}

# METADATA
# title: The highest grade that the acting roles reach
max_grade := max({grade | some name in acting; grade := data.roles[name].max_grade})

# METADATA
# title: The most records that the acting roles may take at once
max_records := max({limit | some name in acting; limit := data.roles[name].max_records})

# METADATA
# title: The highest grade the caller is cleared for
# description: A credential that states none gets `clearance.unstated`.
clearance := input.subject.properties.clearance if _is_cleared

clearance := data.clearance.unstated if _is_cleared == false

default _is_cleared := false

_is_cleared if is_number(input.subject.properties.clearance)

# METADATA
# title: A second factor was used
# description: By RFC 8176 method reference or by authentication context; services may be exempt by role.
default has_mfa := false

has_mfa if {
	some method in input.subject.properties.assurance.amr
	data.assurance.amr[method] == true
}

has_mfa if data.assurance.acr[input.subject.properties.assurance.acr] == true

has_mfa if {
	some name in acting
	data.roles[name].mfa == "exempt"
}
