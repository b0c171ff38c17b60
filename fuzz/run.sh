#!/usr/bin/env bash
# Runs every target for so many seconds (600 unless told otherwise), two at a time. Ends with 1 where
# one has found something; what it has found is in fuzz/artifacts/.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-600}
# No unsafe code is ours: what a sanitizer looks for can't be there, and without it more is tried.
cargo +nightly fuzz build --sanitizer none
failed=0
run() {
  local target=$1
  mkdir -p "artifacts/$target" "target/corpus/$target"
  # New files go beside the corpus: what is worth keeping is chosen by `cargo fuzz cmin`.
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
