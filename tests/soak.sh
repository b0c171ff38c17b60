#!/usr/bin/env bash
# Injects faults into a server and a cluster of three, of both etcd versions, while etcdwatch, curl and
# etcdctl watch:
#
#   tests/soak.sh [--results] [MINUTES]    for 10 minutes or another time: each fault, and all in turn
#   tests/soak.sh [--results] --each N     each fault with N seeds
#   tests/soak.sh --each N ROW...          only these rows of the table
#
# Prints a table with one row for each fault, and fails if anything was wrong with the output of
# etcdwatch. ETCDWATCH_SEED=N repeats a soak as far as timing allows. The seeds of the soak and of each
# run are printed. ETCDWATCH_SOAK_ALONE=1 leaves out curl and etcdctl. ETCDWATCH_SOAK_API=v2 or v3 tests
# that API only.
#
# --results also replaces the tables of that API in docs/fault-testing.md, and the summary in
# README.md. It needs ETCDWATCH_SOAK_API. A soak that fails leaves both files as they are.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  echo "tests/soak.sh: $1; use tests/soak.sh [--results] [MINUTES] or" \
    "tests/soak.sh [--results] --each N [ROW...]" >&2
  exit 2
}

is_count() {
  case $1 in
    '' | *[!0-9]* | 0) return 1 ;;
  esac
}

# --- the tables in docs/fault-testing.md

tables=docs/fault-testing.md
api=${ETCDWATCH_SOAK_API-}

# The lines before and after the tables of an API.
begins() { echo "<!-- results of $1: begin -->"; }
ends() { echo "<!-- results of $1: end -->"; }

# table NUMBER FILE: the first or second table in the output of a soak.
table() {
  awk -v wanted="$1" '
    !/^\|/ { number = 0 }
    /^\| fault \| runs \| faults \|/ { number = 1 }
    /^\| fault \| runs \| events \|/ { number = 2 }
    number == wanted
  ' "$2"
}

# provenance COMMAND OUTPUT: the command, the versions and the machine class of the results.
provenance() {
  local commit changed='' etcds
  commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
  [ -z "$(git status --porcelain -- ":!$tables" ':!README.md' 2>/dev/null)" ] || changed=', with changes'
  etcds=$(tests/get-etcd.sh all 2>/dev/null | while read -r etcd; do "$etcd" --version; done |
    awk '/^etcd Version/ { versions = versions (versions ? " and " : "") $3 } END { print versions }')
  cat <<END
- Command: \`$1\`, with $(grep -m 1 -o 'ETCDWATCH_SEED=[0-9]*' "$2")
- Commit: $commit$changed, $(date -u +%Y-%m-%d)
- Machine class: $(nproc) cores, $(uname -m), Linux $(uname -r | cut -d. -f1-2)
- etcd $etcds
END
  if [ -z "${ETCDWATCH_SOAK_ALONE-}" ]; then
    echo "- etcdctl $(etcdctl version 2>/dev/null | awk 'NR == 1 { print $NF }'), $(curl --version |
      awk 'NR == 1 { print $1, $2 }')"
  fi
}

# results COMMAND OUTPUT: the text between these lines.
results() {
  provenance "$1" "$2"
  echo
  table 1 "$2"
  if [ -n "$(table 2 "$2")" ]; then
    printf '\nIn some of these runs curl and etcdctl watched too:\n\n'
    table 2 "$2"
  fi
}

# The sum of both APIs, as a row of the table in README.md.
summary() {
  awk -F' *[|] *' '
    $2 == "**all**" && NF == 13 {
      runs += $3; faults += $4; events += $5; lost += $6; duplicated += $7; disordered += $8
      gaps += $10; missed += $11
    }
    END {
      printf "| v2 and v3 | %d | %d | %d | %d | %d | %d | %d | %d |\n",
        runs, faults, events, lost, duplicated, disordered, gaps, missed
    }
  ' "$tables"
}

# write_results COMMAND OUTPUT
write_results() {
  local content
  content=$(results "$1" "$2")
  begins=$(begins "$api") ends=$(ends "$api") content=$content awk '
    $0 == ENVIRON["ends"] { inside = 0 }
    !inside
    $0 == ENVIRON["begins"] { inside = 1; print ENVIRON["content"] }
  ' "$tables" >"$work/tables"
  # mv would change the mode.
  cat "$work/tables" >"$tables"
  sed "s/^| v2 and v3 |.*/$(summary)/" README.md >"$work/readme"
  cat "$work/readme" >README.md
  echo "tests/soak.sh: replaced the tables of $api in $tables and the summary in README.md" >&2
}

# --- arguments

[ "${1-}" != --results ] || { results=yes && shift; }
command="tests/soak.sh${results:+ --results}${*:+ $*}"
if [[ ${1-} == --each ]]; then
  is_count "${2-}" || usage "'${2-}' is not a number of seeds"
  [ -z "${results-}" ] || [ $# -eq 2 ] || usage "--results needs all rows"
  export ETCDWATCH_SOAK_EACH=$2
  shift 2
  ETCDWATCH_SOAK_ONLY=$(
    IFS=';'
    echo "$*"
  )
  export ETCDWATCH_SOAK_ONLY
else
  [ $# -le 1 ] || usage "unexpected argument '$2'"
  is_count "${1-10}" || usage "'$1' is not a number of minutes"
  export ETCDWATCH_SOAK_SECONDS=$((${1-10} * 60))
fi

if [ -n "${results-}" ]; then
  case $api in
    v2 | v3) ;;
    *) usage "--results needs ETCDWATCH_SOAK_API=v2 or v3" ;;
  esac
  for line in "$(begins "$api")" "$(ends "$api")"; do
    grep -qxF "$line" "$tables" || usage "$tables has no line '$line'"
  done
  command="ETCDWATCH_SOAK_API=$api $command"
fi

tests/get-etcd.sh all >/dev/null || {
  echo "tests/soak.sh: the soak needs both etcd versions; see above what is missing" >&2
  exit 1
}

if [[ -z ${ETCDWATCH_SOAK_ALONE-} ]]; then
  for baseline in curl etcdctl; do
    command -v "$baseline" >/dev/null || {
      echo "tests/soak.sh: $baseline is missing (Debian: curl, etcd-client);" \
        "ETCDWATCH_SOAK_ALONE=1 runs without it" >&2
      exit 1
    }
  done
fi

soak() {
  env --default-signal=INT,HUP,TERM cargo test --locked --test it -- \
    --ignored --exact chaos::suite::soak --nocapture
}

if [ -z "${results-}" ]; then
  soak
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
soak | tee "$work/output"
write_results "$command" "$work/output"
