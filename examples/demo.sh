#!/usr/bin/env bash
# Shows what Waywarden does, on the examples. Findings are what it is for, so status 1 is success here.
set -u
waywarden=${1:-waywarden}
cd "$(dirname "$0")/.." || exit 2

show() {
  printf '\n\033[1m$ waywarden %s\033[0m\n' "$*"
  "$waywarden" "$@"
  status=$?
  [ "$status" -le 1 ] || { echo "demo: waywarden $* ended with status $status" >&2; exit "$status"; }
}

show scan examples/ineffective.yaml
show explain authorizationpolicy/deny-admin -n boutique -f examples/ineffective.yaml
show explain service/cart -n shop -f examples/shop
show plan examples/ineffective.yaml
show fix -d examples/shop
