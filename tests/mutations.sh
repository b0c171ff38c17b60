#!/usr/bin/env bash
# Applies each patch in tests/mutations to a copy of the code, and checks that the simulation fails:
#
#   tests/mutations.sh [NAME...]   all patches, or these only
#
# Each patch makes the watch draw a wrong conclusion, mostly from silence. If the simulation does not
# notice one of them, the simulation is incomplete, and this exits with 1. Each patch takes about a
# minute.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# The dependencies are built once and kept.
export CARGO_TARGET_DIR=$root/target/mutations

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for patch in "$root"/tests/mutations/*.patch; do
    names+=("$(basename "$patch" .patch)")
  done
fi

# The copy has the committed files.
git -C "$root" archive HEAD | tar -x -C "$copy"
cd "$copy"
# The files must be newer than the build of the last run's patch.
find . -type f -exec touch {} +

simulate() {
  cargo test --locked --quiet --package etcdwatch-engine --lib simulation >"$copy/log" 2>&1
}

simulate || {
  cat "$copy/log" >&2
  echo "tests/mutations.sh: the simulation fails without a patch" >&2
  exit 1
}

passed=0
failed=0
for name in "${names[@]}"; do
  patch --quiet --strip 1 <"$root/tests/mutations/$name.patch" || {
    echo "tests/mutations.sh: $name does not apply any more: update it" >&2
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
