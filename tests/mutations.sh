#!/usr/bin/env bash
# Puts each of the short cuts in tests/mutations back into a copy of the code, and checks that the
# simulation notices:
#
#   tests/mutations.sh [NAME...]   all of them, or these alone
#
# Each is a conclusion that a watch must not draw, most of them from silence. A short cut that the
# simulation lets pass is a hole in the simulation, and this exits with 1. A run takes about a minute for
# each of them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# The dependencies are built once, and again only where they change.
export CARGO_TARGET_DIR=$root/target/mutations

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for patch in "$root"/tests/mutations/*.patch; do
    names+=("$(basename "$patch" .patch)")
  done
fi

# What is committed, as it is.
git -C "$root" archive HEAD | tar -x -C "$copy"
cd "$copy"
# Newer than what the last run has built of a short cut.
find . -type f -exec touch {} +

simulate() {
  cargo test --locked --quiet --package etcdwatch-engine --lib simulation >"$copy/log" 2>&1
}

simulate || {
  cat "$copy/log" >&2
  echo "tests/mutations.sh: the simulation fails without a short cut" >&2
  exit 1
}

passed=0
failed=0
for name in "${names[@]}"; do
  patch --quiet --strip 1 <"$root/tests/mutations/$name.patch" || {
    echo "tests/mutations.sh: $name no longer fits the code: make it anew" >&2
    exit 1
  }
  if simulate; then
    echo "NOT NOTICED  $name"
    failed=$((failed + 1))
  elif grep -q 'test result: FAILED' "$copy/log"; then
    echo "noticed      $name"
    passed=$((passed + 1))
  else
    cat "$copy/log" >&2
    echo "tests/mutations.sh: with $name the code does not build" >&2
    exit 1
  fi
  patch --quiet --strip 1 --reverse <"$root/tests/mutations/$name.patch"
done

echo "$passed noticed, $failed not"
[ "$failed" -eq 0 ]
