#!/usr/bin/env bash
# A first look at etcdwatch: starts a temporary etcd, writes to it, and watches the changes. It needs
# only Rust, and leaves nothing behind except target/.
#
#   examples/quickstart.sh          on a terminal, runs until Ctrl-C
#   examples/quickstart.sh | cat    without a terminal, ends by itself
#   examples/quickstart.sh --api v3 the same over v3, with an etcd without the v2 API
#
# Uses the etcd on the PATH if it has the API, and otherwise one from tests/get-etcd.sh.
# ETCDWATCH_ETCD=/path/to/etcd uses another one.
set -euo pipefail

usage='examples/quickstart.sh [--api v2|v3]'
api=v2
case "$*" in
  '' | '--api v2' | '--api 2' | --api=v2 | --api=2) ;;
  '--api v3' | '--api 3' | --api=v3 | --api=3) api=v3 ;;
  -h | --help) echo "$usage: shows what etcdwatch does, with a throwaway etcd"; exit ;;
  *) echo "quickstart: it is $usage" >&2; exit 2 ;;
esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -t 1 ]; then on_terminal=yes; else on_terminal=; fi
if [ -t 2 ]; then bold=$'\e[1m' faint=$'\e[2m' plain=$'\e[0m'; else bold='' faint='' plain=''; fi

# Explanations go to stderr, and records to stdout.
explain() { printf '%s\n' "$faint# $*$plain" >&2; }
step() { printf '\n' >&2; for line in "$@"; do explain "$line"; done; }
show() { printf '%s\n' "$bold\$ $*$plain" >&2; }
give_up() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# --- cleanup

work=$(mktemp -d)
etcd_pid='' writer_pid='' watch_pid=''

end() {
  local pid
  # The writer ends first, so that it does not write to a server that is gone.
  for pid in $writer_pid $watch_pid $etcd_pid; do
    kill "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- the tool

explain "building etcdwatch (the first time this takes some minutes)"
(cd "$root" && cargo build --release --locked --quiet) >&2
binaries=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
export PATH="$binaries:$PATH"

# --- the server

has_v2() { "$1" --help 2>&1 | grep -e '--enable-v2' >/dev/null; }
has_api() { [ "$api" = v3 ] && "$1" --version >/dev/null 2>&1 || has_v2 "$1"; }

if [ -n "${ETCDWATCH_ETCD:-}" ]; then
  etcd=$ETCDWATCH_ETCD
  has_api "$etcd" || give_up "ETCDWATCH_ETCD=$etcd is no etcd with the $api API (v2: 3.5 or older)"
elif etcd=$(command -v etcd) && has_api "$etcd"; then
  :
else
  etcd=$("$root/tests/get-etcd.sh" any | head -n 1) || give_up "no etcd to show anything with"
fi

# The environment of an operator must not lead this to their servers.
for name in $(compgen -e); do
  case $name in ETCD_* | ETCDCTL_*) unset "$name" ;; esac
done

# etcd 3.6 has neither the flag nor the v2 API.
v2_flag=()
if has_v2 "$etcd"; then
  v2_flag=("--enable-v2=$([ "$api" = v2 ] && echo true || echo false)")
fi

# Whether the server answers, even if the key does not exist.
is_ready() {
  local code=0
  etcdwatch -q get --quorum / >/dev/null 2>&1 || code=$?
  [ "$code" -le 1 ]
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port
  while :; do
    port=$((10000 + RANDOM % 20000))
    if is_free "$port"; then
      echo "$port"
      return
    fi
  done
}

start_etcd() {
  local client peer detach=()
  client=http://127.0.0.1:$(free_port)
  peer=http://127.0.0.1:$(free_port)
  # The server runs in a separate session, so that Ctrl-C reaches the watch only.
  if command -v setsid >/dev/null; then detach=(setsid); fi
  rm -rf "$work/data"
  ${detach[@]+"${detach[@]}"} "$etcd" ${v2_flag[@]+"${v2_flag[@]}"} --name quickstart --data-dir "$work/data" \
    --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
    --initial-cluster "quickstart=$peer" \
    --heartbeat-interval 50 --election-timeout 500 >"$work/log" 2>&1 &
  etcd_pid=$!
  export ETCDCTL_ENDPOINTS=$client
  # The server answers a quorum read once it is ready.
  for _ in $(seq 100); do
    if is_ready; then return; fi
    if ! kill -0 "$etcd_pid" 2>/dev/null; then break; fi
    sleep 0.1
  done
  kill "$etcd_pid" 2>/dev/null || true
  wait "$etcd_pid" 2>/dev/null || true
  etcd_pid=
  return 1
}

# Another process may have taken a port meanwhile. Then other ports are tried.
start_etcd || start_etcd || start_etcd || {
  tail -n 20 "$work/log" >&2
  give_up "etcd did not start; the end of its log is above"
}

# Prints a command, and runs it.
run() {
  show "$*"
  "$@"
}

step "An etcd is running, for this demonstration only. etcdwatch takes the environment that" \
  "etcdctl takes; each of these can be written as --endpoints too."
show "export ETCDCTL_ENDPOINTS=$ETCDCTL_ENDPOINTS"
if [ "$api" = v3 ]; then
  step "v3 is spoken where the server has v2 off, as this one. So it need not be said, but may:"
  export ETCDCTL_API=3
  show "export ETCDCTL_API=3"
fi

# --- write and read

step "Write a key. The answer is a record: index, action, key and value, with tabs between." \
  "The index counts the changes of the whole store; a watch finds its place by it."
show "etcdwatch set /demo/colour green"
record=$(etcdwatch set /demo/colour green)
printf '%s\n' "$record"
first=${record%%[^0-9]*}

step "Read it."
run etcdwatch get /demo/colour

# --- watch past events

step "Two more writes, and a watch that begins only afterwards. It is told where to begin, so" \
  "it does not matter that it comes late: history has what it missed."
run etcdwatch set /demo/colour blue
run etcdwatch set /demo/shape round
run etcdwatch watch --stream -r /demo --from-index "$((first + 1))" --count 2

step "replay prints the events of history and ends. Here from the first write on."
run etcdwatch replay -r /demo --from-index "$first"

if command -v jq >/dev/null; then
  step "With -o json each record is an object on a line of its own, in the shape that etcd's v2 API" \
    "has: ready for jq."
  show "etcdwatch replay -r /demo --from-index $first -o json | jq -c '[.action, .node.key, .node.value]'"
  etcdwatch replay -r /demo --from-index "$first" -o json |
    jq -c '[.action, .node.key, .node.value]'
else
  step "With -o json each record is an object on a line of its own, in the shape of etcd's v2 API."
  run etcdwatch replay -r /demo --from-index "$first" -o json
fi

# --- watch live events

# Writes now and then, without output. Only the watch shows it.
write_on() {
  local pause=$1 nap='' number=0 colours=(red orange yellow green blue violet)
  # Its end must also end the sleep in progress.
  trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; exit' TERM
  rest() {
    sleep "$1" &
    nap=$!
    wait "$nap"
    nap=
  }
  while :; do
    rest "$pause"
    etcdwatch -q set /demo/colour "${colours[number % 6]}"
    rest "$pause"
    etcdwatch -q set /demo/visitor "number $number" --ttl 1s
    rest "$pause"
    etcdwatch -q set --create /demo/note $'two\nlines'
    rest "$pause"
    etcdwatch -q rm /demo/note
    # The visitor expires before the next round.
    rest 2
    number=$((number + 1))
  done
}

# Runs a command in the background, so that a signal ends both at once.
run_beside() {
  local code=0
  show "$*"
  "$@" &
  watch_pid=$!
  wait "$watch_pid" || code=$?
  # Ctrl-C interrupts the wait, so that this waits again for the end of the watch.
  if kill -0 "$watch_pid" 2>/dev/null; then
    code=0
    wait "$watch_pid" || code=$?
  fi
  watch_pid=
  return "$code"
}

begin=$((first + 3))
if [ -n "$on_terminal" ]; then
  step "And live: something else writes now and then, you see it when it happens. A key with a" \
    "TTL expires by itself; a line break in a value is shown as \\n, a record is always a line." \
    "${plain}${bold}Ctrl-C ends it.$plain"
  trap 'true' INT
  write_on 0.8 >/dev/null 2>&1 &
  writer_pid=$!
  code=0
  run_beside etcdwatch watch --stream -r /demo --from-index "$begin" || code=$?
  # Ctrl-C is the expected end.
  [ "$code" = 130 ] || exit "$code"
else
  step "And live: something else writes meanwhile, the watch tells of it when it happens. A key" \
    "with a TTL expires by itself; a line break in a value is shown as \\n, a record is always" \
    "a line. --count ends it after so many events."
  write_on 0.1 >/dev/null 2>&1 &
  writer_pid=$!
  run_beside etcdwatch watch --stream -r /demo --from-index "$begin" --count 6
fi

step "That was etcdwatch. See 'etcdwatch --help', and 'etcdwatch watch --help'."
