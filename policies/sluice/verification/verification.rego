# METADATA
# title: Proof that the caller deals with the data subject
# description: Which methods of proof a request needs, by data.subject_verification. Sluice denies requests without one.
package sluice.verification

import data.sluice.subject

# METADATA
# title: The rules of this request
# description: >-
#  A rule does not apply only where it names other purposes, actions or resources, or roles and none of the acting ones. An empty list names
#  nothing.
applying contains name if {
	some name, rule in data.subject_verification
	not _is_elsewhere(rule, _asked, subject.acting)
}

_asked := {"purposes": _purpose, "actions": _action, "resources": _resource}

default _purpose := null

_purpose := input.context.purpose

default _action := null

_action := input.action.name

default _resource := null

_resource := input.resource.type

_is_elsewhere(rule, asked, _) if {
	some list, value in asked
	is_array(rule[list])
	count(rule[list]) > 0
	not value in rule[list]
}

_is_elsewhere(rule, _, acting) if {
	is_array(rule.roles)
	count(rule.roles) > 0
	count({name | some name in rule.roles} & acting) == 0
}

# METADATA
# title: The methods that do
# description: null if none is needed; those that all rules accept. Those of a rule that cannot be read are none, so that its request is denied.
default methods := null

methods := sort(intersection({accepted |
	some name in applying
	accepted := _methods_of(data.subject_verification[name])
})) if {
	count(applying) > 0
}

default _methods_of(_) := set()

_methods_of(rule) := {method | some method in rule.methods} if is_array(rule.methods)
