# shellcheck shell=bash disable=SC2154 # the script that sources this assigns them
# To be sourced after tools.sh and processes.sh: temporary etcd servers.

free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_etcd VERSION ARGS…: starts an etcd of that version (an argument of tests/get-etcd.sh), and
# returns once it answers. Sets url, and etcd to the argument for `stop`. It runs without fsync, because
# the disk is not measured.
start_etcd() {
  local port peer program
  program=$(etcd_of "$1")
  shift
  # Two adjacent free ports.
  port=$((20000 + RANDOM % 10000))
  until free "$port" && free $((port + 1)); do port=$((port + 2)); done
  url=http://127.0.0.1:$port peer=http://127.0.0.1:$((port + 1))
  start "$program" --unsafe-no-fsync --data-dir "$work/etcd.$port" "$@" \
    --listen-client-urls "$url" --advertise-client-urls "$url" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
    --initial-cluster "default=$peer" >"$work/etcd.$port.log" 2>&1
  etcd=$started
  export ETCDCTL_ENDPOINTS=$url
  until "$tool" set /bench/ready yes >/dev/null 2>&1; do
    kill -0 "$etcd" 2>/dev/null || { cat "$work/etcd.$port.log" >&2; exit 1; }
    sleep 0.1
  done
}
