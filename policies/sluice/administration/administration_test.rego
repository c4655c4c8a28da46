package sluice.administration_test

_call(roles, operation, changes) := {
	"subject": {
		"type": "user",
		"id": "u-1",
		"properties": {
			"roles": roles,
			"department": null,
			"organization": "internal",
			"clearance": null,
			"assurance": {"amr": ["otp"], "acr": null, "auth_time": null},
		},
	},
	"action": {"name": operation, "properties": {"changes": changes}},
	"resource": {"type": "any", "properties": {}},
	"context": {
		"time": "2026-11-22T08:00:00Z",
		"request": {"method": "POST", "route": "POST /v1/any", "client_ip": null},
	},
}

_answer(call) := answer if answer := data.sluice.admin with input as call

_codes(answer) := {reason.code | some reason in answer.reasons}

_allowed(call) if _answer(call).allow == true

_denied(call, codes) if {
	answer := _answer(call)
	answer.allow == false
	_codes(answer) == codes
}

_weak := {"subject": {"properties": {"assurance": {"amr": ["pwd"]}}}}

test_allow_what_a_role_names if {
	every role, operation in {
		"consent_officer": "consents.set",
		"grant_approver": "grants.approve",
		"auditor": "reviews.close",
		"privacy_officer": "links.create",
		"support": "verification.send",
		"access_admin": "keys.create",
	} {
		_allowed(_call([role], operation, true))
		_codes(_answer(_call([role], operation, true))) == {"role_permits"}
	}
}

test_allow_what_one_of_several_roles_names if {
	_allowed(_call(["unknown", "support", "auditor"], "reviews.list", false))
}

test_allow_an_auditor_to_ask_for_decisions if {
	every operation in ["decisions.query", "decisions.view"] {
		_allowed(_call(["auditor"], operation, false))
		_codes(_answer(_call(["auditor"], operation, false))) == {"role_permits"}
	}
}

test_deny_others_to_ask_for_decisions if {
	every role in ["support", "access_admin", "privacy_officer", "grant_approver", "consent_officer", "team_lead"] {
		every operation in ["decisions.query", "decisions.view"] {
			_denied(_call([role], operation, false), {"operation_not_permitted"})
		}
	}
}

# Also not about themselves: the log says what others did with the same customers.
test_deny_callers_to_ask_for_their_own_decisions if {
	own := {"resource": {"properties": {"holder": "u-1"}}}
	_denied(object.union(_call([], "decisions.query", false), own), {"operation_not_permitted"})
}

test_deny_what_no_role_names if {
	every roles in [[], ["unknown"], ["auditor"], ["support"]] {
		_denied(_call(roles, "keys.create", true), {"operation_not_permitted"})
		_answer(_call(roles, "keys.create", true)).step_up == null
	}
}

test_deny_another_kind_of_caller if {
	service := object.union(_call(["auditor"], "reviews.list", false), {"subject": {"type": "service"}})
	_denied(service, {"operation_not_permitted"})
}

test_deny_another_organisation if {
	partner := {"subject": {"properties": {"organization": "swift_logistics"}}}
	_denied(object.union(_call(["auditor"], "reviews.list", false), partner), {"operation_not_permitted"})
	own := {"resource": {"properties": {"holder": "u-1"}}}
	call := object.union(object.union(_call([], "grants.list", false), partner), own)
	_denied(call, {"operation_not_permitted"})
}

_of_partner(organization, recipient, operation, changes) := object.union(
	_call([], operation, changes),
	{
		"subject": {"type": "service", "properties": {"organization": organization, "assurance": {"amr": []}}},
		"resource": {"properties": {"recipient": recipient}},
	},
)

test_allow_a_partner_what_it_has_received_itself if {
	every operation, changes in {
		"shares.demands": false,
		"shares.confirm": true,
		"notices.list": false,
		"notices.acknowledge": true,
	} {
		_allowed(_of_partner("swift_logistics", "swift_logistics", operation, changes))
	}
	_codes(_answer(_of_partner("city_clinic", "city_clinic", "shares.confirm", true))) == {"own_recipient"}
}

test_allow_a_partner_whose_agreement_has_ended_to_confirm if {
	_allowed(_of_partner("harbour_couriers", "harbour_couriers", "shares.confirm", true))
}

test_deny_a_partner_what_others_have_received if {
	every recipient in {"city_clinic", "internal", "", "*", "Swift_Logistics", "swift_logistics ", "callback:portal"} {
		every operation in data.admin.partners.operations {
			_denied(_of_partner("swift_logistics", recipient, operation, true), {"operation_not_permitted"})
		}
	}
}

test_deny_a_partner_without_a_recipient if {
	every operation in data.admin.partners.operations {
		call := _of_partner("swift_logistics", "swift_logistics", operation, true)
		_denied(json.remove(call, ["resource/properties/recipient"]), {"operation_not_permitted"})
		_denied(json.remove(call, ["resource/properties"]), {"operation_not_permitted"})
		holder := {"resource": {"properties": {"holder": "u-1"}}}
		without := json.remove(call, ["resource/properties/recipient"])
		_denied(object.union(without, holder), {"operation_not_permitted"})
	}
}

test_deny_organisations_that_are_no_partner if {
	every organization in {"internal", "unknown", "", "*", null, 1, ["swift_logistics"]} {
		_denied(_of_partner(organization, organization, "shares.confirm", true), {"operation_not_permitted"})
	}
	nowhere := json.remove(_of_partner("x", "swift_logistics", "shares.confirm", true), ["subject/properties/organization"])
	_denied(nowhere, {"operation_not_permitted"})
}

test_deny_our_own_organisation_even_if_it_is_called_a_partner if {
	call := _of_partner("internal", "internal", "shares.confirm", true)
	answer := data.sluice.admin with input as call with data.partners.internal as {"title": "x"}
	answer.allow == false
}

test_deny_a_partner_every_other_operation if {
	own := {operation | some operation in data.admin.partners.operations}
	others := {operation | some role in data.admin.roles; some operation in role.operations} - own
	count(others) > 20
	every operation in others {
		_denied(_of_partner("swift_logistics", "swift_logistics", operation, true), {"operation_not_permitted"})
	}
}

test_deny_a_partner_by_roles_and_other_kinds_of_caller if {
	call := _of_partner("swift_logistics", "city_clinic", "shares.confirm", true)
	roles := {"subject": {"properties": {"roles": ["privacy_officer", "hr_sync"]}}}
	_denied(object.union(call, roles), {"operation_not_permitted"})
	_denied(object.union(object.union(call, roles), {"subject": {"type": "user"}}), {"operation_not_permitted"})
	own := _of_partner("swift_logistics", "swift_logistics", "shares.confirm", true)
	_denied(object.union(own, {"subject": {"type": "user"}}), {"operation_not_permitted"})
	_denied(object.union(own, {"subject": {"id": "swift_logistics", "properties": {"organization": "city_clinic"}}}), {"operation_not_permitted"})
}

test_deny_partners_where_the_data_name_nothing if {
	call := _of_partner("swift_logistics", "swift_logistics", "shares.confirm", true)
	answer := data.sluice.admin with input as call with data.admin as object.remove(data.admin, ["partners"])
	answer.allow == false
}

test_deny_a_partner_without_second_factor_where_it_is_not_exempt if {
	call := _of_partner("swift_logistics", "swift_logistics", "shares.confirm", true)
	answer := data.sluice.admin with input as call with data.admin.partners.mfa as "by_rule"
	answer.allow == false
	_codes(answer) == {"mfa_required"}
}

test_deny_a_change_without_second_factor if {
	call := object.union(_call(["access_admin"], "keys.create", true), _weak)
	_denied(call, {"mfa_required"})
	_answer(call).step_up == data.assurance.step_up
}

test_allow_a_read_without_second_factor if {
	_allowed(object.union(_call(["access_admin"], "keys.list", false), _weak))
}

test_allow_a_change_of_an_exempt_service if {
	service := {"subject": {"type": "service", "properties": {"assurance": {"amr": []}}}}
	_allowed(object.union(_call(["hr_sync"], "subjects.revoke", true), service))
	_denied(object.union(_call(["hr_sync"], "subjects.restore", true), service), {"operation_not_permitted"})
}

test_deny_an_exemption_of_another_role if {
	service := {"subject": {"type": "user", "properties": {"assurance": {"amr": []}}}}
	_denied(object.union(_call(["hr_sync", "access_admin"], "subjects.revoke", true), service), {"mfa_required"})
}

test_allow_everybody_their_own_access if {
	own := {"resource": {"properties": {"holder": "u-1"}}}
	_allowed(object.union(_call([], "grants.request", true), own))
	_codes(_answer(object.union(_call([], "grants.list", false), own))) == {"own_access"}
	_denied(object.union(object.union(_call([], "grants.request", true), own), _weak), {"mfa_required"})
}

test_deny_access_of_others_and_of_nobody if {
	other := {"resource": {"properties": {"holder": "u-2"}}}
	_denied(object.union(_call([], "grants.request", true), other), {"operation_not_permitted"})
	_denied(_call([], "grants.request", true), {"operation_not_permitted"})
	own := {"resource": {"properties": {"holder": "u-1"}}}
	_denied(object.union(_call([], "grants.approve", true), own), {"operation_not_permitted"})
}

test_deny_without_attributes if {
	call := _call(["auditor"], "reviews.close", true)
	every path in [
		"subject/type", "subject/properties/roles", "subject/properties/organization", "subject/properties",
		"action/name", "action",
	] {
		_answer(json.remove(call, [path])).allow == false
	}
	_denied(object.union(json.remove(call, ["action/properties"]), _weak), {"mfa_required"})
	_answer({}).allow == false
}

_gift := {
	"clearance": null,
	"days": 90,
	"organization": "internal",
	"roles": ["sync_service"],
	"subject": "erp",
	"subject_type": "service",
}

_giving(roles, operation, change) := object.union(
	_call(roles, operation, true),
	{"resource": {"properties": {"gives": object.union(_gift, change)}}},
)

test_allow_giving_what_a_role_names if {
	every operation in {"keys.create", "keys.rotate"} {
		every change in [{}, {"roles": []}, {"clearance": 3}, {"days": 366}] {
			_allowed(_giving(["access_admin"], operation, change))
		}
	}
}

test_deny_giving_what_no_role_names if {
	every operation in {"keys.create", "keys.rotate"} {
		every change in [
			{"roles": ["sync_service", "access_admin"]},
			{"roles": ["claims_manager"]},
			{"subject_type": "user"},
			{"organization": "swift_logistics"},
			{"clearance": 4},
			{"days": 366.1},
		] {
			_denied(_giving(["access_admin"], operation, change), {"giving_not_permitted"})
			_answer(_giving(["access_admin"], operation, change)).step_up == null
		}
	}
}

test_deny_giving_by_a_role_that_names_nothing if {
	_denied(_giving(["access_admin"], "keys.create", {}), {"giving_not_permitted"}) with data.admin.roles.access_admin.gives as null
}

# What one role names is not mixed with what another does.
test_deny_giving_by_two_roles_together if {
	two := {
		"a": object.union(data.admin.roles.access_admin, {"gives": object.union(_limits, {"roles": ["x"]})}),
		"b": object.union(data.admin.roles.access_admin, {"gives": object.union(_limits, {"roles": ["y"]})}),
	}
	_denied(_giving(["a", "b"], "keys.create", {"roles": ["x", "y"]}), {"giving_not_permitted"}) with data.admin.roles as two
	_allowed(_giving(["a", "b"], "keys.create", {"roles": ["y"]})) with data.admin.roles as two
}

test_allow_giving_to_any_organisation if {
	anybody := object.union(_limits, {"organizations": ["*"]})
	call := _giving(["access_admin"], "keys.create", {"organization": "swift_logistics"})
	_allowed(call) with data.admin.roles.access_admin.gives as anybody
}

_limits := data.admin.roles.access_admin.gives

# By default nobody gives a role that administers, nor any role of people.
test_deny_by_default_to_give_an_administrative_role if {
	every role in object.keys(data.admin.roles) {
		every name in object.keys(data.admin.roles) {
			_answer(_giving([name], "keys.create", {"roles": [role]})).allow == false
		}
	}
}
