#!/usr/bin/env bash
# Times `waywarden scan` of the 8,134-object file mesh: five runs, wall seconds each.
set -euo pipefail
waywarden=${1:-waywarden}
mesh=$(mktemp --suffix .yaml)
trap 'rm -f "$mesh"' EXIT
go run ./test/bench -policies 5000 -seed 1 >"$mesh"
echo "scan of $(grep -c '^kind:' "$mesh") objects, $(nproc) cores:"
for _ in 1 2 3 4 5; do
  start=$(date +%s%N)
  "$waywarden" scan -o json --fail-on never "$mesh" >/dev/null
  end=$(date +%s%N)
  awk -v ns=$((end - start)) 'BEGIN{printf "  %.2f s\n", ns / 1e9}'
done
