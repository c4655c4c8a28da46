# METADATA
# title: Who receives the data
# description: Ourselves, or a partner with an agreement for this purpose.
package sluice.recipient

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

is_in_force if substring(input.context.time, 0, 10) <= agreement.until

# METADATA
# title: The recipient may receive at all
default may_receive := false

may_receive if is_internal

may_receive if is_in_force

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
