package acme.no_wildcard_test

import data.acme.no_wildcard

test_deny_is_asked_nothing if {
	print("this is heard")
	count(no_wildcard.deny) == 0 with input as {"object": {"spec": {"action": "DENY"}}}
}

test_of_the_mesh if {
	mesh.root_namespace() == "istio-system"
	mesh.namespace("shop").labels.env == "prod" with mesh.namespace as {"labels": {"env": "prod"}}
}

test_wrong if {
	some principal in ["a", "*"]
	found := no_wildcard.deny with input as {"object": {"spec": {"action": "ALLOW", "rules": [{"from": [{"source": {"principals": [principal]}}]}]}}}
	count(found) == 2
}

test_table[name] if {
	some name, n in {"one": 1, "two": 2}
	n == 1
}
