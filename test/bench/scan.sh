#!/usr/bin/env bash
# Times `waywarden scan` of file meshes: five runs of the 8,134 objects, then larger and harder ones once. Wall seconds.
set -euo pipefail
waywarden=${1:-waywarden}
mesh=$(mktemp --suffix .yaml)
trap 'rm -f "$mesh"' EXIT

scan() { # RUNS WHAT
  echo "scan of $(grep -c '^kind:' "$mesh") objects ($2), $(nproc) cores:"
  for _ in $(seq "$1"); do
    start=$(date +%s%N)
    "$waywarden" scan -o json --fail-on never "$mesh" >/dev/null
    end=$(date +%s%N)
    awk -v ns=$((end - start)) 'BEGIN{printf "  %.2f s\n", ns / 1e9}'
  done
}

for policies in 5000 20000 50000; do
  go run ./test/bench -policies "$policies" -seed 1 >"$mesh"
  scan $((policies == 5000 ? 5 : 2)) "$policies policies"
done
for shape in pods services root kinds; do
  go run ./test/bench -shape "$shape" >"$mesh"
  scan 2 "shape $shape"
done
