package sluice

import data.sluice.copies

# METADATA
# title: What does a sink get of a decision record?
# description: Asked for each record and sink by the thread that copies records, never while a request waits (docs/sinks.md).
# entrypoint: true
log := {
	"drop": copies.drop,
	"mask": copies.mask,
}
