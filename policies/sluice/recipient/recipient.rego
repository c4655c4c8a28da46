# METADATA
# title: Who receives the data
# description: Ourselves, or a partner with an agreement for this purpose.
package sluice.recipient

import data.sluice.purpose

# METADATA
# title: The data stays in the organisation
default is_internal := false

is_internal if input.context.recipient == "internal"

# METADATA
# title: The partner that receives the data
partner := data.partners[input.context.recipient] if is_internal == false

# METADATA
# title: The policy knows the partner
default is_known := false

is_known if partner

# METADATA
# title: What was agreed with the partner for this purpose
agreement := partner.agreements[input.context.purpose]

# METADATA
# title: Something was agreed with the partner for this purpose
default has_agreement := false

has_agreement if agreement

# METADATA
# title: The agreement has not ended
default is_in_force := false

is_in_force if _today <= agreement.until

# METADATA
# title: Somebody has assessed the partner, and that still counts
default is_qualified := false

is_qualified if _is_valid(partner.qualification, _today)

# METADATA
# title: The partner has signed what it may do with the data, and that still counts
default is_committed := false

is_committed if _is_valid(partner.commitment, _today)

# METADATA
# title: The partner has confirmed in time what became of data that has expired
# description: In an emergency nobody waits for it.
default has_confirmed := false

has_confirmed if _is_asked == false

has_confirmed if input.context.confirmations.overdue == 0

has_confirmed if purpose.tier == 1

# METADATA
# title: Why the partner may not receive, besides its agreement
reasons contains "qualification_missing" if {
	partner
	_is_absent(partner, "qualification", _today)
}

reasons contains "qualification_expired" if partner.qualification.until < _today

reasons contains "commitment_missing" if {
	partner
	_is_absent(partner, "commitment", _today)
}

reasons contains "commitment_expired" if partner.commitment.until < _today

reasons contains "confirmation_overdue" if {
	partner
	has_confirmed == false
}

# No `not` here: sluice/disclosure has one, and OPA's optimizer confuses those of two entrypoints.
default _is_asked := false

_is_asked if input.context.confirmations != false

_today := substring(input.context.time, 0, 10)

_is_valid(stated, today) if {
	stated.from <= today
	today <= stated.until
}

_is_absent(about, member, _) if not member in object.keys(about)

_is_absent(about, member, today) if about[member].from > today

# METADATA
# title: The recipient may receive at all
default may_receive := false

may_receive if is_internal

may_receive if {
	is_in_force
	is_qualified
	is_committed
	has_confirmed
}

# METADATA
# title: The recipient may receive a class
# description: Internally always; a partner, what the agreement lists up to the grade it lists.
default covers(_, _) := false

covers(_, _) if is_internal

covers(category, grade) if grade <= agreement.categories[category]

# METADATA
# title: Single fields that the agreement adds, each with the class it is judged by
fields[pointer] := class if {
	some pointer, name in agreement.fields[input.resource.type]
	[category, digit] := split(name, "/")
	class := {"category": category, "grade": to_number(digit)}
}
