package sluice

import data.sluice.consent
import data.sluice.grants
import data.sluice.held
import data.sluice.purpose
import data.sluice.recipient
import data.sluice.subject
import data.sluice.treatment
import data.sluice.writing

# METADATA
# title: What of a record may leave?
# description: Asked once for every distinct state of data subjects in an answer; the answer of design §5.3.
# entrypoint: true
default disclosure := {
	"disclose": false,
	"reasons": [{"code": "undetermined", "message": "The policy could not determine what may leave."}],
	"classes": {},
	"fields": {},
}

disclosure := {
	"disclose": true,
	"reasons": sort(_grounds),
	"classes": _classes,
	"fields": _fields,
} if {
	may_leave
}

disclosure := {
	"disclose": false,
	"reasons": sort(withholdings),
	"classes": {},
	"fields": {},
} if {
	may_leave == false
	count(withholdings) > 0
}

# METADATA
# title: The record may leave
# description: What the customer refused or never agreed to is in `withholdings`; what must hold is said here.
default may_leave := false

may_leave if {
	allow
	consent.is_complete
	_is_agreed
	count(withholdings) == 0
}

# Something is needed where the law or the recipient asks for consent, whatever the class.
default _is_agreed := false

_is_agreed if consent.is_waived

_is_agreed if {
	recipient.is_internal
	purpose.settings.consent == "by_grade"
}

_is_agreed if consent.has_explicit

# METADATA
# title: Why the whole record is withheld
withholdings contains {"code": "not_allowed", "message": "The request itself is not allowed."} if allow == false

withholdings contains denial if {
	allow == false
	some denial in denials
}

withholdings contains {"code": "consent_unreadable", "message": "The data subject's state is not as it should be."} if {
	consent.is_complete == false
}

withholdings contains {"code": _lack, "message": _lack_messages[_lack]} if {
	allow
	consent.is_complete
	_is_agreed == false
	_is_refused == false
}

withholdings contains {"code": "consent_withdrawn", "message": "The data subject withdrew consent."} if _is_refused

withholdings contains {"code": "opted_out", "message": "The data subject objected to this purpose."} if {
	consent.is_waived == false
	consent.is_opted_out
	purpose.settings.on_refusal == "withhold_record"
}

withholdings contains {"code": flag, "message": object.get(data.flags[flag], "title", "The data subject is marked.")} if {
	some flag in input.data_subject.flags
	held.withholds(flag)
	_is_held(flag) == false
}

# Deleting takes the whole record, and what must be kept goes with it.
withholdings contains {"code": "under_hold", "message": "Categories of the record are under a legal hold."} if {
	input.action.name == "delete"
	count(held.categories) > 0
}

# What is held is read, and never written.
default _is_held(_) := false

_is_held(flag) if {
	writing.is_asked == false
	held.leaves(flag)
}

default _is_refused := false

_is_refused if {
	consent.is_waived == false
	"*" in consent.refused
}

_is_refused if {
	consent.is_waived == false
	count(consent.refused) > 0
	purpose.settings.on_refusal == "withhold_record"
}

_lack := "recipient_consent_missing" if recipient.is_internal == false

_lack := "consent_missing" if recipient.is_internal

_lack_messages := {
	"recipient_consent_missing": "The data subject did not agree to this recipient.",
	"consent_missing": "The data subject did not agree to this purpose.",
}

_grounds contains {"code": "emergency_without_consent", "message": "Consent is waived; somebody will review this."} if {
	purpose.tier_settings.review == true
}

_grounds contains {"code": "grant_in_effect", "message": "A grant goes beyond the standing rules."} if {
	count(grants.lifted) > 0
}

_classes[entry.class] := treatment.of(entry.category, entry.grade, agreed) if {
	writing.is_asked == false
	some entry in data.classes[input.resource.type]
	held.may_leave(entry.category)
	agreed := recipient.covers(entry.category, entry.grade)
}

_classes[entry.class] := {"do": "drop", "because": "under_erasure"} if {
	writing.is_asked == false
	some entry in data.classes[input.resource.type]
	held.may_leave(entry.category) == false
}

_classes[entry.class] := {"do": "drop", "because": "under_hold"} if {
	writing.is_asked
	some entry in data.classes[input.resource.type]
	held.keeps(entry.category)
}

_classes[entry.class] := writing.of(writing.category_mode(entry.category), entry.category, entry.grade, agreed) if {
	writing.is_asked
	some entry in data.classes[input.resource.type]
	held.keeps(entry.category) == false
	agreed := recipient.covers(entry.category, entry.grade)
}

_fields[pointer] := {"do": "drop", "because": "under_erasure"} if {
	writing.is_asked == false
	held.is_limited
	some pointer in (subject.named | object.keys(recipient.fields))
}

_fields[pointer] := treatment.of_field(pointer) if {
	writing.is_asked == false
	held.is_limited == false
	recipient.is_internal
	some pointer in subject.named
}

# A role forbids what an agreement lists, and adds nothing to it.
_fields[pointer] := {"do": "drop", "because": "field_not_for_role"} if {
	recipient.is_internal == false
	writing.is_asked == false
	held.is_limited == false
	some pointer in subject.forbidden
}

_fields[pointer] := treatment.of(class.category, class.grade, true) if {
	writing.is_asked == false
	held.is_limited == false
	some pointer, class in recipient.fields
	not pointer in subject.forbidden
}

_fields[pointer] := {"do": "drop", "because": "field_not_for_role"} if {
	writing.is_asked
	some pointer in subject.forbidden
}

# What an agreement adds is given to somebody outside, and not taken from them.
_fields[pointer] := writing.of(line.write, line.category, line.grade, agreed) if {
	writing.is_asked
	some pointer, line in data.catalog[input.resource.type].fields
	line.write
	not pointer in subject.forbidden
	agreed := recipient.covers(line.category, line.grade)
}
