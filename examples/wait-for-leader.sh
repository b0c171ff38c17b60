#!/usr/bin/env bash
# In a CI job: waits until a service has a leader, and says who it is.
#
#   examples/wait-for-leader.sh KEY [TIMEOUT]
#   leader=$(examples/wait-for-leader.sh /service/leader 2m) && curl "http://$leader/health"
#
# Exit 0 with the leader on standard output, 124 where there is none in time. That the leader was
# there before this began makes no difference.
set -euo pipefail

[ "$#" -ge 1 ] && [ "$1" != --help ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }

etcdwatch watch "$1" --until 'value~.' --timeout "${2:-1m}" --format '{value}'
