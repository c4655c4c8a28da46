# METADATA
# title: Categories that must be kept
# description: >-
#   Of a customer whose data is to be deleted, or was, some categories may be under a legal hold (`held:transaction`). Purposes
#   that a flag names in `held_for` see these and nothing else.
package sluice.held

# METADATA
# title: Categories of the data subject that are held
categories contains substring(flag, 5, -1) if {
	some flag in input.data_subject.flags
	startswith(flag, "held:")
}

# METADATA
# title: A category is held, so that nobody changes it
default keeps(_) := false

keeps(category) if category in categories

# METADATA
# title: A flag that withholds records lets held categories leave for this purpose
default leaves(_) := false

leaves(flag) if {
	input.context.purpose in data.flags[flag].held_for
	count(categories) > 0
}

# METADATA
# title: A flag withholds the record, but for what it names
default withholds(_) := false

withholds(flag) if {
	data.flags[flag].withholds == "record"
	_is_excepted(flag) == false
}

# A rule of its own: OPA evaluates references within a `not` before it, so that a missing list would undo the flag.
default _is_excepted(_) := false

_is_excepted(flag) if input.context.purpose in data.flags[flag].except

# METADATA
# title: Only held categories leave
default is_limited := false

is_limited if {
	some flag in input.data_subject.flags
	withholds(flag)
	leaves(flag)
}

# METADATA
# title: A category may leave, as far as holds are concerned
default may_leave(_) := false

may_leave(_) if is_limited == false

may_leave(category) if category in categories
