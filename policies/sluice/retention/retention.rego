# METADATA
# title: Retention
# description: How long categories may be disclosed, by data.retention. Sluice drops their fields in records that are older.
package sluice.retention

# METADATA
# title: The rules of this request
# description: A rule does not apply only where it excepts the purpose.
applying contains name if {
	some name, rule in data.retention
	not _is_excepted(rule, _purpose)
}

default _purpose := null

_purpose := input.context.purpose

_is_excepted(rule, purpose) if purpose in rule.except

# METADATA
# title: The conditions of these rules
# description: null if there are none. Those of a rule that cannot be read are one that nothing meets, so that its request is denied.
default conditions := null

conditions := sort({condition |
	some name in applying
	some condition in _conditions_of(data.retention[name])
}) if {
	count(applying) > 0
}

default _conditions_of(_) := [{}]

_conditions_of(rule) := [condition |
	some resource in _resources(rule)
	some category in rule.categories
	condition := object.union(
		{"resource": resource, "attribute": _attribute(rule), "category": category, "within": rule.keep},
		{name: value | some name, value in rule; name in {"offset", "order"}},
	)
] if {
	is_array(rule.categories)
	count(rule.categories) > 0
	is_string(rule.keep)
}

_attribute(rule) := object.get(rule, "attribute", "dated")

_resources(rule) := rule.resources if "resources" in object.keys(rule)

_resources(rule) := [resource | some resource, catalog in data.catalog; catalog.attributes[_attribute(rule)]] if {
	not "resources" in object.keys(rule)
}
