#!/usr/bin/env bash
# Runs a command only once the cluster's configuration is as a file says.
#
#   examples/gate-deployment.sh FILE KEY TIMEOUT COMMAND...
#   examples/gate-deployment.sh config/production.yaml /app 5m ./deploy
#
# FILE is JSON or YAML; more keys than it has may be there. What still differs when time is up is
# printed, and the exit code is 124 then.
set -euo pipefail

[ "$#" -ge 4 ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }
file=$1 key=$2 timeout=$3
shift 3

etcdwatch check "$file" "$key" --subset --wait --timeout "$timeout"
exec "$@"
