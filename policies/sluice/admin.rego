package sluice

import data.sluice.administration

# METADATA
# title: May this call of the admin API be carried out?
# description: Asked once for each call, by its operation (docs/admin-api.md).
# entrypoint: true
admin := {
	"allow": administration.allow,
	"reasons": sort(administration.reasons),
	"step_up": administration.step_up,
}
