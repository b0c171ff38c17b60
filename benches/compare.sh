#!/usr/bin/env bash
# etcdwatch beside curl on the same work, in turn, in one run. Only the ratio counts: machines
# differ, and drift while they run.
#
#   benches/compare.sh [RUNS]     20 runs of each, unless told otherwise
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
runs=${1:-20}
command -v curl >/dev/null || { echo "compare: curl is not on the PATH" >&2; exit 1; }

(cd "$root" && cargo build --release --locked --quiet)
tool=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}/release" && pwd)/etcdwatch
etcd=$("$root/tests/get-etcd.sh" any | head -n 1)

work=$(mktemp -d)
etcd_pid='' watch_pid=''
end() {
  local pid
  for pid in $watch_pid $etcd_pid; do
    kill "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap end EXIT

# A pair of ports that nobody listens on.
free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=$((20000 + RANDOM % 10000))
until free "$port" && free $((port + 1)); do port=$((port + 2)); done
url=http://127.0.0.1:$port peer=http://127.0.0.1:$((port + 1))
"$etcd" --data-dir "$work/data" --enable-v2=true \
  --listen-client-urls "$url" --advertise-client-urls "$url" \
  --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
  --initial-cluster "default=$peer" >"$work/log" 2>&1 &
etcd_pid=$!
export ETCDCTL_ENDPOINTS=$url
until "$tool" set /bench/key value >/dev/null 2>&1; do
  kill -0 "$etcd_pid" || { cat "$work/log" >&2; exit 1; }
  sleep 0.1
done

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
peak() { awk '/^VmHWM/ { print $2 }' "/proc/$watch_pid/status"; }
"$tool" watch --stream -r /bench >"$work/records" 2>/dev/null &
watch_pid=$!
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
