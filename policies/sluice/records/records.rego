# METADATA
# title: Records
# description: Which records a purpose may have at all, by data.record_filters. Sluice withholds every other record.
package sluice.records

import data.sluice.subject

# METADATA
# title: The filters of this request
# description: >-
#  All of them hold. A filter does not apply only where it names other purposes, or roles and none of the acting ones. An empty list names
#  nothing.
applying contains name if {
	some name, filter in data.record_filters
	not _is_for_other_purposes(filter, _purpose)
	not _is_for_other_roles(filter, subject.acting)
}

default _purpose := null

_purpose := input.context.purpose

_is_for_other_purposes(filter, purpose) if {
	is_array(filter.purposes)
	count(filter.purposes) > 0
	not purpose in filter.purposes
}

_is_for_other_roles(filter, acting) if {
	is_array(filter.roles)
	count(filter.roles) > 0
	count({name | some name in filter.roles} & acting) == 0
}

# METADATA
# title: The conditions of these filters
# description: null if there are none. Those of a filter that cannot be read are one that nothing meets, so that its request is denied.
default conditions := null

conditions := sort({condition |
	some name in applying
	some condition in _conditions_of(data.record_filters[name])
}) if {
	count(applying) > 0
}

default _conditions_of(_) := [{}]

_conditions_of(filter) := filter.where if {
	is_array(filter.where)
	count(filter.where) > 0
}
