#!/usr/bin/env bash
# etcdwatch beside curl on the same work, in turn, in one run. Only the ratio counts: machines
# differ, and drift while they run.
#
#   benches/compare.sh [RUNS]     20 runs of each, unless told otherwise
set -euo pipefail

runs=${1:-20}
# shellcheck source=benches/etcd.sh
source "${BASH_SOURCE[0]%/*}/etcd.sh"
start_etcd any --enable-v2=true
"$tool" set /bench/key value >/dev/null

# Microseconds that a command takes as a whole process.
time_of() {
  local from=${EPOCHREALTIME/./}
  "$@" >/dev/null
  echo $((${EPOCHREALTIME/./} - from))
}
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

for ((run = 0; run < runs; run++)); do
  time_of "$tool" get /bench/key >>"$work/tool"
  time_of curl -s "$url/v2/keys/bench/key" >>"$work/curl"
done
ours=$(median <"$work/tool") theirs=$(median <"$work/curl")
awk -v a="$ours" -v b="$theirs" -v n="$runs" 'BEGIN {
  printf "get of one key, median of %d: etcdwatch %.1f ms, curl %.1f ms, ratio %.2f\n", n, a / 1000, b / 1000, a / b
}'

# What the kernel saw at most of a stream's memory.
peak() { awk '/^VmHWM/ { print $2 }' "/proc/$clients/status"; }
"$tool" watch --stream -r /bench >"$work/records" 2>/dev/null &
clients=$!
sleep 0.5
idle=$(peak)
for lane in 1 2 3 4; do
  # One connection a lane: curl takes the URLs of a range one after the other.
  curl -s -X PUT -d value=v "$url/v2/keys/bench/$lane/[1-2500]" >/dev/null &
  lanes[lane]=$!
done
wait "${lanes[@]}"
for ((try = 0; try < 100; try++)); do
  [ "$(wc -l <"$work/records")" -ge 10000 ] && break
  sleep 0.1
done
echo "stream: $(wc -l <"$work/records") of 10000 events, peak memory idle $idle KiB, afterwards $(peak) KiB"

# When an event that comes alone is told of, over a link that delays.
(cd "$root" && cargo test --release --locked --quiet --test it -- \
  --ignored --exact latency::added_latency_of_an_isolated_event --nocapture) | grep '^an event'
