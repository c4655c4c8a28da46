# METADATA
# title: The agent
# description: >-
#   Software that acts for the caller. Everything here only takes away: what the caller may not do or see is refused before, and
#   whatever is undefined of an agent refuses. No `not`: OPA's optimizer confuses those of two entrypoints.
package sluice.agent

import data.sluice.purpose

# METADATA
# title: An agent asks for the caller
# description: Whatever stands in the place of an agent is one, however malformed.
default is_present := false

is_present if _ = input.context.agent

# METADATA
# title: What the agent may do at most
ceiling := settings if {
	settings := data.agents[input.context.agent.id]
	_is_of_issuer(settings, input.context.agent.issuer)
}

default _is_of_issuer(_, _) := false

_is_of_issuer(settings, _) if object.get(settings, "issuer", null) == null

_is_of_issuer(settings, issuer) if settings.issuer == issuer

# METADATA
# title: The policy knows the agent
default is_known := false

is_known if is_object(ceiling)

# METADATA
# title: The purpose is open to agents
default is_admitted := false

is_admitted if object.get(purpose.settings, "agents", true) == true

# METADATA
# title: The agent may act for the purpose
default serves_purpose := false

serves_purpose if input.context.purpose in ceiling.purposes

# METADATA
# title: The agent may do the action
default permits_action := false

permits_action if input.action.name in ceiling.actions

# METADATA
# title: The agent may act in the tier in force
default permits_tier := false

permits_tier if purpose.tier in ceiling.tiers

# METADATA
# title: The request may go on, as far as the agent is concerned
default may_act := false

may_act if is_present == false

may_act if {
	is_known
	is_admitted
	serves_purpose
	permits_action
	permits_tier
}

# METADATA
# title: Why the agent may not act
denials contains {"code": "agent_unknown", "message": "The policy does not know the agent (data.agents)."} if {
	is_present
	is_known == false
}

denials contains {"code": "agent_not_admitted", "message": message} if {
	is_present
	purpose.settings
	is_admitted == false
	message := concat("", ["Purpose ", input.context.purpose, " is for people only, and not for agents."])
}

denials contains {"code": "agent_purpose_not_allowed", "message": "The agent may not act for this purpose."} if {
	is_present
	is_known
	serves_purpose == false
}

denials contains {"code": "agent_action_not_allowed", "message": "The agent may not do this action."} if {
	is_present
	is_known
	permits_action == false
}

denials contains {"code": "agent_tier_not_allowed", "message": "The agent may not act in this tier."} if {
	is_present
	is_known
	permits_tier == false
}

# METADATA
# title: The agent may have a class
default may_have(_, _) := false

may_have(_, _) if is_present == false

may_have(category, grade) if {
	category in ceiling.categories
	grade <= ceiling.max_grade
}

# METADATA
# title: The most records that the agent may take at once
max_records contains ceiling.max_records
