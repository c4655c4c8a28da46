# METADATA
# title: Treatment of a class
# description: >-
#   Every rule names a limit: a treatment and the reason for it. The strictest limit wins; among equals the one with the
#   greater weight: what never changes before what the customer refused, then agreement, role and tier, and last what
#   could still be had (clearance, consent, a second factor). A limit that cannot be determined drops.
package sluice.treatment

import data.sluice.agent
import data.sluice.consent
import data.sluice.grants
import data.sluice.purpose
import data.sluice.recipient
import data.sluice.subject

_ranks := {
	"disclose": 0,
	"encrypt": 1,
	"scrub": 2,
	"generalize": 3,
	"mask": 4,
	"tokenize": 5,
	"pseudonymize": 6,
	"nullify": 7,
	"drop": 8,
}

_grade_names := {1: "1", 2: "2", 3: "3", 4: "4", 5: "5"}

# METADATA
# title: What is done to a class, and why
# description: "`agreed`: the recipient may receive the class (an agreement may also name single fields)."
default of(_, _, _) := {"do": "drop", "because": "undetermined"}

of(category, grade, agreed) := _judged(category, grade, agreed, _role(category), subject.max_grade)

# METADATA
# title: What is done to a single field that a role says something of, and why
# description: >-
#   Each acting role is judged by itself, with what it says of the field, or with the field's own class where it says nothing. What
#   leaves most counts, so that roles together see what one of them may see, and no more.
default of_field(_) := {"do": "drop", "because": "undetermined"}

of_field(pointer) := choice if {
	choices := {[_ranks[choice.do], choice] | some name in subject.acting; choice := _by_role(name, pointer)}
	choice := min(choices)[1]
}

default _by_role(_, _) := {"do": "drop", "because": "undetermined"}

_by_role(name, pointer) := {"do": "drop", "because": "field_not_for_role"} if subject.said(name, pointer) == "never"

_by_role(name, pointer) := _alone(name, line.category, line.grade) if {
	subject.said(name, pointer) == null
	line := data.catalog[input.resource.type].fields[pointer]
}

_by_role(name, pointer) := choice if {
	[category, digit] := split(subject.said(name, pointer), "/")
	line := data.catalog[input.resource.type].fields[pointer]
	choice := _unless_secret(max([_secrecy(line.category, line.grade), _agent(line.category, line.grade)]), _alone(name, category, to_number(digit)))
}

# Whatever class a role gives it, a secret stays one, and so does what its agent may not have.
_unless_secret(secrecy, choice) := choice if secrecy == _no_limit

_unless_secret(secrecy, _) := secrecy[2] if secrecy != _no_limit

_alone(name, category, grade) := _judged(category, grade, true, limit, data.roles[name].max_grade) if {
	limit := _use(object.get(data.roles[name].categories, category, null))
}

default _use(_) := [8, 60, {"do": "drop", "because": "category_not_for_role"}]

_use("use") := _no_limit

_use("recognise") := _limit("mask", 60, "role_recognises")

default _judged(_, _, _, _, _) := {"do": "drop", "because": "undetermined"}

_judged(category, grade, agreed, role, max_grade) := choice if {
	limits := [
		_secrecy(category, grade),
		_tier(category),
		_tier_grade(grade),
		role,
		_reach(grade, max_grade, "grade_above_role"),
		_reach(grade, subject.clearance, "grade_above_clearance"),
		_factor(category, grade),
		_consent(category, grade),
		_agreement(agreed),
		_agent(category, grade),
	]
	choice := _for_recipient(_strictest(limits, grants.covers(category)), recipient.is_internal)
}

# A mask helps our own people to recognise somebody. A partner gets the whole of it or nothing.
_for_recipient(choice, true) := choice

_for_recipient(choice, false) := {"do": "drop", "because": choice.because} if choice.do in {"mask", "scrub"}

_for_recipient(choice, false) := choice if not choice.do in {"mask", "scrub"}

_strictest(limits, false) := max(limits)[2]

_strictest(limits, true) := choice if {
	standing := [limit | some limit in limits; not _is_liftable(limit[2])]
	count(standing) < count(limits)
	choice := max(array.concat(standing, [[0, 9, {"do": "disclose", "because": "grant"}]]))[2]
}

_strictest(limits, true) := max(limits)[2] if {
	every limit in limits {
		not _is_liftable(limit[2])
	}
}

_is_liftable(choice) if {
	choice.do != "disclose"
	data.grants.lifts[choice.because] == true
}

_limit(treatment, weight, because) := [_ranks[treatment], weight, {"do": treatment, "because": because}]

_no_limit := [0, 0, {"do": "disclose", "because": "permitted"}]

# Secrets never leave, whoever asks and whatever was granted.
default _secrecy(_, _) := [8, 90, {"do": "drop", "because": "never_leaves"}]

_secrecy(category, grade) := _no_limit if {
	data.categories[category].leaves == true
	data.grades[_grade_names[grade]].leaves == true
}

default _tier(_) := [8, 50, {"do": "drop", "because": "category_outside_tier"}]

_tier(category) := _limit("disclose", 2, "purpose_needs_category") if category in purpose.settings.needs

_tier(category) := _limit(treatment, _tier_weight(treatment), _tier_because(category, treatment)) if {
	not category in purpose.settings.needs
	treatment := purpose.tier_settings.categories[category]
}

_tier_weight("disclose") := 3

_tier_weight(treatment) := 50 if treatment != "disclose"

_tier_because("free_text", "drop") := "free_text"

_tier_because(category, "drop") := "category_outside_tier" if category != "free_text"

_tier_because(_, "scrub") := "free_text"

_tier_because(_, "mask") := "tier_masks"

_tier_because(_, treatment) := concat("_", ["tier", purpose.tier_name]) if {
	not treatment in {"drop", "scrub", "mask"}
}

default _tier_grade(_) := [8, 45, {"do": "drop", "because": "grade_above_tier"}]

_tier_grade(grade) := _no_limit if grade <= purpose.tier_settings.max_grade

_tier_grade(grade) := _limit(purpose.tier_settings.above_grade, 45, "grade_above_tier") if {
	grade > purpose.tier_settings.max_grade
}

default _role(_) := [8, 60, {"do": "drop", "because": "category_not_for_role"}]

_role(category) := _no_limit if category in subject.used

_role(category) := _limit("mask", 60, "role_recognises") if {
	not category in subject.used
	category in subject.recognised
}

default _reach(_, _, _) := [8, 40, {"do": "drop", "because": "grade_undetermined"}]

_reach(grade, limit, _) := _no_limit if grade <= limit

_reach(grade, limit, because) := _limit(data.grades[_grade_names[grade]].above_limit, 40, because) if grade > limit

default _factor(_, _) := [8, 20, {"do": "drop", "because": "mfa_required"}]

_factor(_, _) := _no_limit if subject.has_mfa

_factor(_, grade) := _no_limit if {
	subject.has_mfa == false
	data.grades[_grade_names[grade]].mfa == false
}

_factor(category, grade) := _limit(data.categories[category].withheld_as, 20, "mfa_required") if {
	subject.has_mfa == false
	data.grades[_grade_names[grade]].mfa == true
}

default _consent(_, _) := [8, 80, {"do": "drop", "because": "consent_undetermined"}]

_consent(category, grade) := _consent_limit(consent.verdict(category, grade), category)

_consent_limit(verdict, _) := _limit("disclose", _consent_weights[verdict.because], verdict.because) if verdict.permitted

_consent_limit(verdict, category) := _limit(data.categories[category].withheld_as, _lack_weight(verdict.because), verdict.because) if {
	not verdict.permitted
}

_lack_weight(because) := 80 if because in {"consent_withdrawn", "opted_out", "consent_undetermined"}

_lack_weight(because) := 30 if not because in {"consent_withdrawn", "opted_out", "consent_undetermined"}

_consent_weights := {
	"no_consent_needed": 1,
	"notice_given": 1,
	"consent_waived": 4,
	"consent_given": 5,
	"explicit_consent": 5,
}

# No grant lifts it: a grant is given to the person.
default _agent(_, _) := [8, 65, {"do": "drop", "because": "agent_ceiling"}]

_agent(category, grade) := _no_limit if agent.may_have(category, grade)

default _agreement(_) := [8, 70, {"do": "drop", "because": "not_in_agreement"}]

_agreement(true) := _no_limit
