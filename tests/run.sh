#!/usr/bin/env bash
# The whole suite, against real etcds: gets both (see tests/get-etcd.sh), then runs every test.
# What follows the command is passed on to cargo: `tests/run.sh --test it harness`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The tests find the etcds where this puts them. A version that can't be had is a failure:
# no test is ever skipped for want of a server.
tests/get-etcd.sh all >/dev/null || {
  echo "tests/run.sh: the tests need both etcd versions; see above what is missing" >&2
  exit 1
}

# The recipes in examples/ pipe into jq.
root=$PWD
# shellcheck source=tests/debian.sh
. tests/debian.sh
provide jq && jq --version >/dev/null || {
  echo "tests/run.sh: the tests of the recipes need jq, 1.6 or newer" >&2
  exit 1
}

# Ctrl-C is a part of what is tested; whoever started this may have it ignored, and the tool
# leaves alone what it finds ignored.
run() { env --default-signal=INT,HUP,TERM cargo test --locked --workspace "$@"; }

run "$@"

# The simulation checks the same schedules in every run; here are some that nobody has seen before.
if [ $# -eq 0 ]; then
  PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
  export PROPTEST_RNG_SEED PROPTEST_CASES=2000
  echo "tests/run.sh: PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED PROPTEST_CASES=$PROPTEST_CASES"
  run --quiet --lib simulation
fi
