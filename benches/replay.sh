#!/usr/bin/env bash
# A long history by v3, told by etcdwatch and by etcdctl, in turn, in one run: wall time until the
# last event is written, CPU time and peak memory of the client. Only the ratio counts.
#
#   benches/replay.sh [TRANSACTIONS]     of 100 keys each; 2,000 unless told otherwise
set -euo pipefail

transactions=${1:-2000}
events=$((transactions * 100))
# shellcheck source=benches/etcd.sh
source "${BASH_SOURCE[0]%/*}/etcd.sh"
export ETCDCTL_API=3
start_etcd 3.5 --unsafe-no-fsync
etcdctl=${etcd%/*}/etcdctl

# The same transaction again and again: a hundred keys with a value each.
for ((key = 100; key < 200; key++)); do
  printf '{"request_put":{"key":"%s","value":"%s"}}\n' \
    "$(printf '/app/key%d' "$key" | base64)" "$(printf 'value of key %d' "$key" | base64)"
done | paste -sd, | sed 's/.*/{"success":[&]}/' >"$work/transaction"
curl -s -X POST --data-binary "@$work/transaction" "$url/v3/kv/txn?[1-$transactions]" >/dev/null

# measure NAME LINES COMMAND...: until it has written so many lines.
measure() {
  local name=$1 lines=$2 from=${EPOCHREALTIME/./} ticks peak
  shift 2
  "$@" >"$work/out" 2>"$work/err" &
  clients=$!
  until [ "$(wc -l <"$work/out")" -ge "$lines" ]; do
    kill -0 "$clients" 2>/dev/null || { cat "$work/err" >&2; exit 1; }
    sleep 0.02
  done
  local wall=$((${EPOCHREALTIME/./} - from))
  ticks=$(awk '{ print $14 + $15 }' "/proc/$clients/stat")
  peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$clients/status")
  kill "$clients" && wait "$clients" 2>/dev/null || true
  clients=''
  awk -v name="$name" -v wall="$wall" -v ticks="$ticks" -v hz="$(getconf CLK_TCK)" -v peak="$peak" \
    'BEGIN { printf "%-28s %6.2f s, CPU %5.2f s, peak memory %6.1f MiB\n", name, wall / 1e6, ticks / hz, peak / 1024 }'
}

echo "$events events in $transactions transactions, twice each:"
for _ in 1 2; do
  measure "etcdwatch" "$events" "$tool" watch --stream -r /app --from-index 1
  measure "etcdctl" $((events * 3)) "$etcdctl" watch --rev=1 --prefix /app
  measure "etcdwatch -o json" "$events" "$tool" -o json watch --stream -r /app --from-index 1
  measure "etcdctl --prev-kv" $((events * 3 + (events - 100) * 2)) \
    "$etcdctl" watch --rev=1 --prev-kv --prefix /app
done
