#!/usr/bin/env bash
# For CI jobs: waits until a service has a leader, and prints it.
#
#   examples/wait-for-leader.sh KEY [TIMEOUT]
#   leader=$(examples/wait-for-leader.sh /service/leader 2m) && curl "http://$leader/health"
#
# Exits with 0 and the leader on stdout, or with 124 if there is none in time. A leader that is already
# there is printed at once.
set -euo pipefail

[ "$#" -ge 1 ] && [ "$1" != --help ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }

etcdwatch watch "$1" --until 'value~.' --timeout "${2:-1m}" --format '{value}'
