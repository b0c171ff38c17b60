#!/usr/bin/env bash
# Faults on one node and on three, of both etcd versions, with curl and etcdctl beside the tool:
#
#   tests/soak.sh [MINUTES]           for so long (10): each fault alone, and all in turn
#   tests/soak.sh --each N [ROW...]   each fault alone with N seeds; only these rows of the table
#
# Prints a table of what came of each fault, and exits 1 where anything was wrong with what the
# tool told. ETCDWATCH_SEED=N repeats a soak, as far as chance lets it: the seed is printed, and
# that of each run. ETCDWATCH_SOAK_ALONE=1 leaves out curl and etcdctl, ETCDWATCH_SOAK_API=v2 or
# v3 the other API.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  echo "tests/soak.sh: $1; it is tests/soak.sh [MINUTES] or tests/soak.sh --each N [ROW...]" >&2
  exit 2
}

is_count() {
  case $1 in
    '' | *[!0-9]* | 0) return 1 ;;
  esac
}

if [[ ${1-} == --each ]]; then
  is_count "${2-}" || usage "'${2-}' is no number of seeds"
  export ETCDWATCH_SOAK_EACH=$2
  shift 2
  ETCDWATCH_SOAK_ONLY=$(
    IFS=';'
    echo "$*"
  )
  export ETCDWATCH_SOAK_ONLY
else
  is_count "${1-10}" || usage "'$1' is no number of minutes"
  export ETCDWATCH_SOAK_SECONDS=$((${1-10} * 60))
fi

tests/get-etcd.sh all >/dev/null || {
  echo "tests/soak.sh: the soak needs both etcd versions; see above what is missing" >&2
  exit 1
}

if [[ -z ${ETCDWATCH_SOAK_ALONE-} ]]; then
  for rival in curl etcdctl; do
    command -v "$rival" >/dev/null || {
      echo "tests/soak.sh: no $rival to compare with (Debian: curl, etcd-client);" \
        "ETCDWATCH_SOAK_ALONE=1 does without" >&2
      exit 1
    }
  done
fi

exec env --default-signal=INT,HUP,TERM cargo test --locked --test it -- \
  --ignored --exact chaos::suite::soak --nocapture
