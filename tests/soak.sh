#!/usr/bin/env bash
# Faults at random on one node and on three, of both etcd versions, for so many minutes (10):
#
#   tests/soak.sh [MINUTES]
#
# Prints a table of what came of each fault. ETCDWATCH_SEED=N repeats a soak, as far as chance
# lets it: the seed is printed, and that of each run that failed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

minutes=${1:-10}
case $minutes in
  '' | *[!0-9]* | 0)
    echo "tests/soak.sh: '$minutes' is no number of minutes" >&2
    exit 2
    ;;
esac

tests/get-etcd.sh all >/dev/null || {
  echo "tests/soak.sh: the soak needs both etcd versions; see above what is missing" >&2
  exit 1
}

ETCDWATCH_SOAK_SECONDS=$((minutes * 60)) exec cargo test --locked --test it -- \
  --exact chaos::each_fault_alone_loses_nothing_silently --nocapture
