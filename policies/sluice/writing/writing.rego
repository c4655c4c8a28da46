# METADATA
# title: What may be written
# description: >-
#   For a request that writes, `disclose` means "may be written" and any other treatment that it may not. A line of the
#   catalog says `never`, `as_read` or `always`; where it does not, its category does. A role or a purpose may narrow that.
package sluice.writing

import data.sluice.agent
import data.sluice.purpose
import data.sluice.subject
import data.sluice.treatment

# METADATA
# title: The request writes
default is_asked := false

is_asked if input.action.name in {"create", "update", "delete"}

# METADATA
# title: How fields of a category are written where their line does not say
default category_mode(_) := "as_read"

category_mode(category) := data.categories[category].write

# METADATA
# title: May a field be written, and why
# description: A mode that nobody knows writes nothing.
default of(_, _, _, _) := {"do": "drop", "because": "write_undetermined"}

of(mode, category, grade, agreed) := _of(mode, category, grade, agreed) if agent.may_have(category, grade)

of(_, category, grade, _) := {"do": "drop", "because": "agent_ceiling"} if agent.may_have(category, grade) == false

default _of(_, _, _, _) := {"do": "drop", "because": "write_undetermined"}

_of("never", _, _, _) := {"do": "drop", "because": "write_never"}

_of("as_read", category, grade, agreed) := _as_read(treatment.of(category, grade, agreed), _is_narrowed(category))

_of("always", category, _, true) := {"do": "disclose", "because": "write_always"} if not _is_narrowed(category)

_of("always", category, _, true) := {"do": "drop", "because": "write_not_for_caller"} if _is_narrowed(category)

_of("always", _, _, false) := {"do": "drop", "because": "not_in_agreement"}

_as_read(choice, false) := {"do": "disclose", "because": choice.because} if _is_readable(choice)

_as_read(choice, true) := {"do": "drop", "because": "write_not_for_caller"} if _is_readable(choice)

_as_read(choice, _) := choice if not _is_readable(choice)

# Who reads a text with numbers masked in it may write a new one, and so may who would read it if it were no free text, which
# the tier withholds from everybody. What comes back masked is refused by its shape.
default _is_readable(_) := false

_is_readable(choice) if choice.do in {"disclose", "scrub"}

_is_readable(choice) if choice == {"do": "drop", "because": "free_text"}

# True unless a role and the purpose let the category be written.
default _is_narrowed(_) := true

_is_narrowed(category) := false if {
	some name in subject.acting
	_covers(data.roles[name], category)
	_covers(purpose.settings, category)
}

default _covers(_, _) := false

_covers(settings, _) if not "write" in object.keys(settings)

_covers(settings, category) if category in settings.write
