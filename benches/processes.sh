# shellcheck shell=bash disable=SC2154 # what is not assigned here, whoever sources it assigns
# To be sourced, with `set -euo pipefail` in force and root set: processes and files that never outlive
# the run, however it ends. Sets work, a directory of the run's own.
mkdir -p "$root/target"
work=$(mktemp -d "$root/target/compare.XXXXXX")

# The process groups that run. Each command has one of its own, so that what it starts goes with it.
groups=' '
end() {
  local group
  for group in $groups; do stop "$group"; done
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# start COMMAND…: in the background; sets started.
start() {
  set -m
  "$@" </dev/null &
  started=$!
  set +m
  groups+="$started "
}

# finish GROUP: waits for its end, and fails as it does.
finish() {
  local code=0
  wait "$1" || code=$?
  groups=${groups/ $1 / }
  return "$code"
}

# stop GROUP: ends it, at once: an etcd that has watches takes seconds to end by itself, and nobody
# wants its data.
stop() {
  kill -KILL -- "-$1" 2>/dev/null || true
  finish "$1" 2>/dev/null || true
}

# run COMMAND…: to its end, or to that of the script.
run() {
  start "$@"
  finish "$started"
}
