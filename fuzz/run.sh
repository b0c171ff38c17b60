#!/usr/bin/env bash
# fuzz/run.sh [SECONDS]: runs every target for 600 seconds or another time, two at a time. Exits with 1
# if there are findings, which are in fuzz/artifacts/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-600}
# The project has no unsafe code, so that a sanitizer would only slow the targets down.
cargo +nightly fuzz build --sanitizer none
failed=0
run() {
  local target=$1
  mkdir -p "artifacts/$target" "target/corpus/$target"
  # New files go to another directory. `cargo fuzz cmin` selects those worth keeping.
  cargo +nightly fuzz run --sanitizer none "$target" "target/corpus/$target" "corpus/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
    >"target/$target.log" 2>&1 && result=clean || result=FOUND
  printf '%-11s %-6s %s\n' "$target" "$result" "$(grep -a '^Done' "target/$target.log" || true)"
  [ "$result" = clean ]
}
targets=(corpus/*)
for ((at = 0; at < ${#targets[@]}; at += 2)); do
  pids=()
  for target in "${targets[@]:at:2}"; do
    run "${target#corpus/}" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
done
exit "$failed"
