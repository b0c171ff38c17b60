# A throwaway etcd for a measurement; to be sourced with `set -euo pipefail` in force.
#
#   start_etcd VERSION ARGS…   of VERSION as tests/get-etcd.sh takes it; answers when this returns
#
# Sets root, tool (a release build of etcdwatch), etcd, etcd_pid, url and work, a directory of the
# run's own. At exit the processes in $clients and the etcd are stopped, and the directory removed.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command -v curl >/dev/null || { echo "${0##*/}: curl is not on the PATH" >&2; exit 1; }
(cd "$root" && cargo build --release --locked --quiet)
tool=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}/release" && pwd)/etcdwatch

work=$(mktemp -d)
etcd_pid='' clients=''
end() {
  local pid
  for pid in $clients $etcd_pid; do
    kill "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap end EXIT

free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start_etcd() {
  local port peer
  etcd=$("$root/tests/get-etcd.sh" "$1" | head -n 1)
  shift
  # A pair of ports that nobody listens on.
  port=$((20000 + RANDOM % 10000))
  until free "$port" && free $((port + 1)); do port=$((port + 2)); done
  url=http://127.0.0.1:$port peer=http://127.0.0.1:$((port + 1))
  "$etcd" --data-dir "$work/data" "$@" \
    --listen-client-urls "$url" --advertise-client-urls "$url" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
    --initial-cluster "default=$peer" >"$work/log" 2>&1 &
  etcd_pid=$!
  export ETCDCTL_ENDPOINTS=$url
  until "$tool" set /bench/ready yes >/dev/null 2>&1; do
    kill -0 "$etcd_pid" || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
  done
}
