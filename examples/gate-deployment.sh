#!/usr/bin/env bash
# Runs a command once the configuration in etcd matches a file.
#
#   examples/gate-deployment.sh FILE KEY TIMEOUT COMMAND...
#   examples/gate-deployment.sh config/production.yaml /app 5m ./deploy
#
# FILE is JSON or YAML. Keys that are not in it are ignored. On a timeout this prints the remaining
# differences and exits with 124.
set -euo pipefail

[ "$#" -ge 4 ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }
file=$1 key=$2 timeout=$3
shift 3

etcdwatch check "$file" "$key" --subset --wait --timeout "$timeout"
exec "$@"
