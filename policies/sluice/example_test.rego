# METADATA
# title: Example requests for the tests
# description: The personas of docs/policy-guide.md. A test changes one thing with `changed`.
package sluice.example_test

classes := {
	"customer": [
		{"class": "contact/3", "category": "contact", "grade": 3},
		{"class": "credential/5", "category": "credential", "grade": 5},
		{"class": "emergency_contact/3", "category": "emergency_contact", "grade": 3},
		{"class": "financial/4", "category": "financial", "grade": 4},
		{"class": "free_text/3", "category": "free_text", "grade": 3},
		{"class": "health/4", "category": "health", "grade": 4},
		{"class": "identity/3", "category": "identity", "grade": 3},
		{"class": "identity/4", "category": "identity", "grade": 4},
		{"class": "preference/2", "category": "preference", "grade": 2},
		{"class": "preference/3", "category": "preference", "grade": 3},
		{"class": "reference/1", "category": "reference", "grade": 1},
		{"class": "reference/2", "category": "reference", "grade": 2},
		{"class": "secret/5", "category": "contact", "grade": 5},
		{"class": "transaction/2", "category": "transaction", "grade": 2},
		{"class": "weather/1", "category": "weather", "grade": 1},
	],
	"employee": [{"class": "staff/2", "category": "staff", "grade": 2}],
}

# METADATA
# title: A request with some members changed, however deep
changed(request, changes) := object.union(request, changes)

_request(subject, purpose, recipient) := {
	"subject": subject,
	"action": {"name": "read", "properties": {"query_fields": [], "body_fields": []}},
	"resource": {"type": "customer", "id": "C1", "properties": {"source": "crm"}},
	"context": {
		"purpose": purpose,
		"tier": null,
		"recipient": recipient,
		"justification": null,
		"time": "2026-11-22T08:00:00Z",
		"grants": [],
		"request": {"method": "GET", "route": "GET /api/customers/{id}", "client_ip": null},
	},
	"data_subject": {"consents": [], "flags": []},
	"record": {"attributes": {}},
}

_subject(id, role, department, clearance, amr) := {
	"type": "user",
	"id": id,
	"properties": {
		"roles": [role],
		"department": department,
		"organization": "internal",
		"clearance": clearance,
		"assurance": {"amr": amr, "acr": null, "auth_time": null},
	},
}

support := _request(_subject("u-17", "support", "after-sales", 3, ["pwd"]), "after_sales", "internal")

adjuster := _request(_subject("u-21", "adjuster", "claims", 4, ["pwd", "otp"]), "claims", "internal")

emergency := changed(adjuster, {"context": {"purpose": "emergency", "justification": "accident on the A4"}})

analyst := changed(
	_request(_subject("u-33", "analyst", "marketing", 2, ["pwd"]), "market_research", "internal"),
	{"action": {"name": "search"}},
)

marketer := _request(_subject("u-34", "marketer", "marketing", 3, ["pwd"]), "marketing", "internal")

investigator := changed(
	_request(_subject("u-40", "fraud_investigator", "investigations", 4, ["pwd", "hwk"]), "fraud_investigation", "internal"),
	{"context": {"justification": "case 2026-118"}},
)

logistics := changed(
	_request(_subject("p-1", "courier", null, 3, ["pwd"]), "delivery", "swift_logistics"),
	{"subject": {"type": "partner", "properties": {"organization": "swift_logistics"}}},
)

# METADATA
# title: A consent to categories for a purpose and a recipient
consent(purpose, recipient, categories, status) := {
	"purpose": purpose,
	"recipient": recipient,
	"categories": categories,
	"status": status,
	"explicit": true,
}

# METADATA
# title: A request about a data subject with these consents
about(request, consents) := changed(request, {"data_subject": {"consents": consents}})

# METADATA
# title: A request about a data subject with these flags
flagged(request, flags) := changed(request, {"data_subject": {"flags": flags}})

# METADATA
# title: A request with these grants
granted(request, grants) := changed(request, {"context": {"grants": grants}})

decision(request) := answer if {
	answer := data.sluice.decision with input as request with data.classes as classes
}

disclosure(request) := answer if {
	answer := data.sluice.disclosure with input as request with data.classes as classes
}

codes(answer) := {reason.code | some reason in answer.reasons}
