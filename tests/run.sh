#!/usr/bin/env bash
# Runs the whole suite against real etcd servers, which it gets first (tests/get-etcd.sh).
# Arguments are passed on to cargo: `tests/run.sh --test it harness`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The tests find the etcd servers in target/etcd. A missing version is a failure, because no test is
# ever skipped.
tests/get-etcd.sh all >/dev/null || {
  echo "tests/run.sh: the tests need both etcd versions; see above what is missing" >&2
  exit 1
}

# The scripts in examples/ need jq.
root=$PWD
# shellcheck source=tests/debian.sh
. tests/debian.sh
provide jq && jq --version >/dev/null || {
  echo "tests/run.sh: the tests of the examples need jq 1.6 or newer" >&2
  exit 1
}

# The tests send SIGINT. The tool does not handle a signal that was ignored when it started, so that
# the signals are reset here.
run() { env --default-signal=INT,HUP,TERM cargo test --locked --workspace "$@"; }

run "$@"

# The simulation checks the same schedules in every run. This adds schedules from a random seed.
if [ $# -eq 0 ]; then
  PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
  export PROPTEST_RNG_SEED PROPTEST_CASES=2000
  echo "tests/run.sh: PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED PROPTEST_CASES=$PROPTEST_CASES"
  run --quiet --lib simulation
fi
