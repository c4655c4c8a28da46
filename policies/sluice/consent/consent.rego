# METADATA
# title: Consent
# description: >-
#   What the data subject agreed to or refused for this purpose and this recipient. A consent for one recipient or
#   purpose never covers another; a refusal beats a consent; `*` refuses everything but agrees to nothing sensitive.
package sluice.consent

import data.sluice.purpose
import data.sluice.recipient

# METADATA
# title: The state of the data subject can be read
default is_complete := false

is_complete if {
	is_array(input.data_subject.flags)
	is_array(input.data_subject.consents)
	every consent in input.data_subject.consents {
		consent.status in {"given", "withdrawn", "expired", "pending"}
		is_string(consent.purpose)
		is_string(consent.recipient)
		is_array(consent.categories)
	}
}

# METADATA
# title: The law does not ask for consent here
default is_waived := false

is_waived if purpose.settings.consent == "waived"

# METADATA
# title: Categories that the data subject refuses
refused contains category if {
	some consent in input.data_subject.consents
	consent.status == "withdrawn"
	consent.purpose in {input.context.purpose, "*"}
	consent.recipient in {input.context.recipient, "*"}
	some category in consent.categories
}

# METADATA
# title: Categories by what became of the consent to them
# description: >-
#   `explicit` (given, explicitly), `given` (otherwise), `expired`, `pending`; for this purpose and recipient only.
by_status[status] contains category if {
	some consent in input.data_subject.consents
	consent.status != "withdrawn"
	consent.purpose == input.context.purpose
	consent.recipient == input.context.recipient
	status := _status(consent)
	some category in consent.categories
}

_status(consent) := "explicit" if {
	consent.status == "given"
	consent.explicit == true
}

else := consent.status

# METADATA
# title: The data subject objected to what needs no consent
# description: By a flag, for every purpose (`opt_out`) or for this one (`opt_out:marketing`).
default is_opted_out := false

is_opted_out if {
	some flag in input.data_subject.flags
	data.flags[flag].withholds == "notice"
}

is_opted_out if concat(":", ["opt_out", input.context.purpose]) in input.data_subject.flags

# METADATA
# title: What is needed before a grade may leave
# description: >-
#   `nothing`; `notice` (the data subject may refuse); `any` (agreement to something for this recipient);
#   `explicit` (agreement to this very category).
needs[grade] := need if {
	some name, settings in data.grades
	grade := to_number(name)
	need := _need(grade, settings.consent)
}

_need(grade, by_grade) := "explicit" if {
	grade >= 2
	purpose.settings.consent == "explicit"
}

else := "explicit" if {
	grade >= 3
	recipient.is_internal == false
}

else := "any" if recipient.is_internal == false

else := {"none": "nothing", "notice": "notice", "explicit": "explicit"}[by_grade]

# METADATA
# title: What consent leaves of a class
# description: "`permitted` or not, and the reason."
default verdict(_, _) := {"permitted": false, "because": "consent_undetermined"}

verdict(category, grade) := {"permitted": true, "because": "consent_waived"} if {
	is_waived
	needs[grade]
}

else := {"permitted": false, "because": "consent_withdrawn"} if {
	grade >= 2
	_is_refused(category)
}

else := {"permitted": false, "because": "opted_out"} if {
	grade >= 3
	is_opted_out
}

else := _answer(needs[grade], category, grade)

_is_refused(category) if category in refused

_is_refused(_) if "*" in refused

_answer("nothing", _, _) := {"permitted": true, "because": "no_consent_needed"}

_answer("notice", _, _) := {"permitted": true, "because": "notice_given"}

_answer("any", _, _) := {"permitted": true, "because": "consent_given"} if has_explicit

_answer("any", _, _) := {"permitted": false, "because": "consent_missing"} if has_explicit == false

_answer("explicit", category, grade) := {"permitted": true, "because": "explicit_consent"} if {
	_is_explicit(category, grade)
}

_answer("explicit", category, grade) := {"permitted": false, "because": _lack(category)} if {
	not _is_explicit(category, grade)
}

# `*` agrees to nothing sensitive: PIPL Art. 29 and GDPR Art. 9 ask for a consent to the very thing.
_is_explicit(category, _) if category in by_status.explicit

_is_explicit(_, grade) if {
	grade <= 3
	"*" in by_status.explicit
}

_lack(category) := "consent_not_explicit" if category in by_status.given

else := "consent_expired" if category in by_status.expired

else := "consent_pending" if category in by_status.pending

else := "consent_missing"

# METADATA
# title: The data subject explicitly agreed to something for this purpose and recipient
default has_explicit := false

has_explicit if count(by_status.explicit) > 0
