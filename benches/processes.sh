# shellcheck shell=bash disable=SC2154 # the script that sources this assigns them
# To be sourced, with `set -euo pipefail` and root set: processes and files that never outlive the run.
# Sets work, a temporary directory.
mkdir -p "$root/target"
work=$(mktemp -d "$root/target/compare.XXXXXX")

# The running process groups. Each command has its own, so that its children end with it.
groups=' '
end() {
  local group
  for group in $groups; do stop "$group"; done
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# start COMMAND…: starts it in the background, and sets started.
start() {
  set -m
  "$@" </dev/null &
  started=$!
  set +m
  groups+="$started "
}

# finish GROUP: waits for its end, and returns its exit code.
finish() {
  local code=0
  wait "$1" || code=$?
  groups=${groups/ $1 / }
  return "$code"
}

# stop GROUP: kills it. An etcd with watches would take seconds to end, and its data are not needed.
stop() {
  kill -KILL -- "-$1" 2>/dev/null || true
  finish "$1" 2>/dev/null || true
}

# run COMMAND…: runs it to its end, or until the script ends.
run() {
  start "$@"
  finish "$started"
}
