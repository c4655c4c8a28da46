# METADATA
# title: Purpose and tier
# description: Why the data is asked for, and how wide that need is.
package sluice.purpose

# METADATA
# title: The purpose's settings
settings := data.purposes[input.context.purpose]

# METADATA
# title: The policy knows the purpose
default is_known := false

is_known if data.purposes[input.context.purpose]

# METADATA
# title: The tier in force is one that the policy knows
default has_tier := false

has_tier if tier_settings

# METADATA
# title: The request names a purpose
default is_stated := false

is_stated if {
	is_string(input.context.purpose)
	input.context.purpose != ""
}

# METADATA
# title: The tier in force
# description: The one that the request names, if the purpose has it; the purpose's first if it names none.
default tier := null

tier := input.context.tier if {
	_is_tier_stated
	input.context.tier in settings.tiers
}

tier := settings.tiers[0] if _is_tier_stated == false

default _is_tier_stated := false

_is_tier_stated if input.context.tier != null

# METADATA
# title: The tier's name, as data.tiers has it
tier_name := {1: "1", 2: "2", 3: "3"}[tier]

# METADATA
# title: The tier's settings
tier_settings := data.tiers[tier_name]

# METADATA
# title: The action is one that the purpose is for
default permits_action := false

permits_action if {
	object.get(settings, "actions", null) == null
}

permits_action if input.action.name in settings.actions

# METADATA
# title: The action is one that the tier is for
default tier_permits_action := false

tier_permits_action if input.action.name in tier_settings.actions

# METADATA
# title: A justification stands where the purpose requires one
default is_justified := false

is_justified if settings.justification == "optional"

is_justified if count(trim_space(input.context.justification)) >= data.justification.min_length

# METADATA
# title: The purpose or the action needs a second factor
# description: True unless both say that they do not.
default needs_mfa := true

needs_mfa := false if {
	settings.mfa == false
	object.get(data.assurance.actions, input.action.name, false) == false
}
