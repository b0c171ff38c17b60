#!/usr/bin/env bash
# Prints a line for each change of a subtree with jq: the old value, the new value, and gaps.
#
#   examples/stream-into-jq.sh KEY [OPTION...]
#   examples/stream-into-jq.sh /app --count 10
#
# Needs jq.
set -euo pipefail

[ "$#" -ge 1 ] && [ "$1" != --help ] || { sed -n '2,7s/^# \?//p' "$0" >&2; exit 2; }

etcdwatch -o json watch --stream -r --expand "$@" |
  jq -r --unbuffered '
    def text: if . == null then "nothing" else tojson end;
    def value: .value // .valueBase64;
    if .action == "gap" then "lost: what happened from \(.lost.from) to \(.lost.to // "now")"
    elif .node and (.node.dir | not) then
      "\(.node.key // .node.keyBase64): \(.prevNode | value | text) -> \(.node | value | text)"
    else empty end'
