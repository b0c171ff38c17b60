#!/usr/bin/env bash
# Measures etcdwatch and the programs that a user would take instead, on the same work and in the same
# run. Only ratios count, because machines differ and drift. It gets the programs it needs (Debian),
# writes only below target/, and takes about six minutes.
#
#   benches/compare.sh [--results] [LETTER…]     all measurements, or these only
#
#   a  start-up: get of one key        e  v3: a history of 200,000 events
#   b  decoding a million events       f  memory, and the cost of an idle stream
#   c  latency of an event             g  scale: keys in scope, catching up after a disconnect
#   d  a full history at 20 ms
#
# --results also writes the table to benches/RESULTS.md. RUNS=2 runs fewer rounds than the default 5.
# Missed goals are marked. This is a measurement and not a gate, so that it exits with 0.
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
results='' letters=''
for argument in "$@"; do
  case $argument in
    --results) results=yes ;;
    -h | --help) usage; exit ;;
    [a-g]) letters+=$argument ;;
    *) usage >&2; exit 2 ;;
  esac
done
letters=${letters:-abcdefg}
rounds=${RUNS:-5}

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=benches/tools.sh
. "$here/tools.sh"
# shellcheck source=benches/processes.sh
. "$here/processes.sh"
# shellcheck source=benches/etcd.sh
. "$here/etcd.sh"
# shellcheck source=benches/table.sh
. "$here/table.sh"
# The environment must not influence the measurements.
unset "${!ETCDCTL_@}"

# timed RUNS WARMUPS NAME COMMAND [NAME COMMAND]…: runs each command so often with hyperfine, without a
# shell and with stdout to /dev/null.
timed() {
  local runs=$1 warmups=$2 commands=()
  shift 2
  while (($#)); do commands+=(--command-name "$1" "$2"); shift 2; done
  run hyperfine -N --output=null --style=none --runs "$runs" --warmup "$warmups" \
    --export-json "$work/times.$((++exports)).json" "${commands[@]}" >"$work/err" 2>&1 || {
    cat "$work/err" >&2
    exit 1
  }
}
exports=0

# median NAME: the median of all runs of the command of that name, in seconds.
median() {
  jq -s --arg name "$1" '[.[].results[] | select(.command == $name) | .times[]] | sort | .[length / 2 | floor]' \
    "$work"/times.*.json
}

a() {
  start_etcd 3.5 --enable-v2=true
  "$tool" set /k value >/dev/null
  "$tool" --api v3 set /k value >/dev/null
  printf '{"key":"%s"}' "$(printf /k | base64)" >"$work/range"
  local round api
  for ((round = 0; round < rounds; round++)); do
    timed 10 2 a2 "$tool get /k" a2-linked "$linked get /k" a2-curl "curl -s $url/v2/keys/k" \
      a3 "$tool --api v3 get /k" a3-curl "curl -s --data-binary @$work/range $url/v3/kv/range"
    ETCDCTL_API=2 timed 10 2 a2-etcdctl "etcdctl get /k"
    ETCDCTL_API=3 timed 10 2 a3-etcdctl "etcdctl get /k"
  done
  for api in 2 3; do
    compare_times "a. get of one key, v$api" "$(median a$api)" "curl -s" "$(median a$api-curl)" 0.35
    compare_times "a. get of one key, v$api" "$(median a$api)" "etcdctl" "$(median a$api-etcdctl)" 0.2
  done
  compare_times "a. get of one key, v2, dynamically linked" "$(median a2-linked)" "curl -s" "$(median a2-curl)"
  stop "$etcd"
}

# source_of EVENTS: starts a server that sends so many events at once, and sets url.
source_of() {
  local place=$work/source.$1
  if [ ! -e "$place" ]; then
    start "$stand" serve "$1" >"$place"
    until [ -s "$place" ]; do sleep 0.05; done
    # It answers once its events are generated.
    curl -s "$(cat "$place")/version" >/dev/null
  fi
  url=$(cat "$place")
}

# expect COUNT NAME COMMAND…: fails unless the command writes so many lines.
expect() {
  local wanted=$1 name=$2 lines
  shift 2
  run "$@" >"$work/out"
  lines=$(wc -l <"$work/out")
  rm "$work/out"
  [ "$lines" -eq "$wanted" ] || { echo "$name: $lines of $wanted lines" >&2; exit 1; }
}

million=1000000
b() {
  source_of $million
  local stream="$url/v2/keys/app?wait=true&recursive=true&stream=true"
  local watch="$tool --endpoints $url watch --stream -r /app --count $million"
  # The timed commands must do the whole work.
  expect $million curl curl -sN "$stream"
  # shellcheck disable=SC2086
  expect $million json $watch -o json
  # shellcheck disable=SC2086
  expect $million text $watch
  local round
  for ((round = 0; round < rounds; round++)); do
    timed 1 0 b-json "$watch -o json" b-curl "curl -s $stream" b-text "$watch" b-curlN "curl -sN $stream"
  done
  # One run takes longer than all of the others together.
  timed 1 0 b-jq "bash -c 'curl -sN \"\$0\" | jq -c .' $stream"
  compare_times "b. 1 M events, JSON Lines" "$(median b-json)" "curl -sN" "$(median b-curlN)" 0.5
  compare_times "b. 1 M events, JSON Lines" "$(median b-json)" "curl -s" "$(median b-curl)" 1.5
  compare_times "b. 1 M events, JSON Lines" "$(median b-json)" "curl -sN | jq -c ." "$(median b-jq)" 0.03
  compare_times "b. 1 M events, text" "$(median b-text)" "curl -s" "$(median b-curl)" 2.5
}

c() {
  start_etcd 3.5 --enable-v2=true
  run "$stand" latency "$tool" "$url" $((10 * rounds)) >"$work/latency"
  local link manner tool50 tool99 curl50 curl99 trip goal
  while read -r link manner tool50 tool99 curl50 curl99 trip; do
    case $manner in
      isolated) goal="$trip ms, a round trip" ;;
      back-to-back) goal='0.1 ms' ;;
      *) goal='' ;;
    esac
    row "c. latency, $manner, $link" "p50 $tool50, p99 $tool99 ms" "curl -sN: p50 $curl50, p99 $curl99 ms" \
      "$(awk -v a="$tool50" -v b="$curl50" 'BEGIN { printf "%+.3f ms", a - b }')" "$goal"
  done <"$work/latency"
  stop "$etcd"
}

d() {
  start_etcd 3.5 --enable-v2=true
  run "$stand" replay "$tool" "$url" "$rounds" >"$work/replay"
  local ours curl connections
  read -r ours curl connections <"$work/replay"
  row "d. replay of 1,000 events at 20 ms" "$ours ms" "one event per round trip (100 with curl, times 10): $curl ms" \
    "$(ratio "$ours" "$curl") x" "0.08 x"
  row "d. connections of the replay" "$connections" "" "$connections" 16
  stop "$etcd"
}

# read_history NAME COUNT NEEDLE COMMAND…: runs the command once, until it has printed everything.
read_history() {
  local name=$1
  shift
  run "$stand" until "$@" >>"$work/told.$name"
}
# wall NAME, cpu NAME: the medians of the runs, in seconds.
wall() { field "$1" 1; }
cpu() { field "$1" 2; }
field() {
  cut -d' ' -f"$2" "$work/told.$1" | sort -n |
    awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] / 1000 }'
}

e() {
  start_etcd 3.5
  local transactions=2000 events=200000 key round
  # The same transaction many times, with a hundred keys and values.
  for ((key = 100; key < 200; key++)); do
    printf '{"request_put":{"key":"%s","value":"%s"}}\n' \
      "$(printf '/app/key%d' "$key" | base64)" "$(printf 'value of key %d' "$key" | base64)"
  done | paste -sd, | sed 's/.*/{"success":[&]}/' >"$work/transaction"
  run curl -s --data-binary "@$work/transaction" "$url/v3/kv/txn?[1-$transactions]" >/dev/null
  # The tool's requests to the gateway: without previous values for text, and with them for JSON.
  printf '{"create_request":{"key":"%s","range_end":"%s","start_revision":"1","progress_notify":true}}' \
    "$(printf /app | base64)" "$(printf /app0 | base64)" >"$work/text"
  sed 's/}}$/,"prev_kv":true}}/' "$work/text" >"$work/json"
  local watch=("$tool" --api v3 watch --stream -r /app --from-index 1)
  local etcdctl=(env ETCDCTL_API=3 etcdctl watch --rev=1 --prefix /app)
  # With its previous value an event has two revisions. The first hundred have no previous value.
  local both=$((2 * events - 100))
  for ((round = 0; round < (rounds + 1) / 2; round++)); do
    read_history text $events $'\n' "${watch[@]}"
    read_history etcdctl $((3 * events)) $'\n' "${etcdctl[@]}"
    read_history json $events $'\n' "${watch[@]}" -o json
    read_history etcdctl-json $both '"mod_revision"' "${etcdctl[@]}" -w json --prev-kv
    read_history etcdctl-prev $both 'value of key' "${etcdctl[@]}" --prev-kv
    read_history gateway-text $events '"mod_revision"' curl -sN --data-binary "@$work/text" "$url/v3/watch"
    read_history gateway-json $both '"mod_revision"' curl -sN --data-binary "@$work/json" "$url/v3/watch"
  done
  of_history text etcdctl "etcdctl watch"
  of_history json etcdctl-json "etcdctl watch -w json --prev-kv"
  compare_times "e. 200,000 events over v3, text, wall" "$(wall text)" "etcdctl watch --prev-kv" "$(wall etcdctl-prev)"
  compare_times "e. 200,000 events over v3, text, CPU" "$(cpu text)" "etcdctl watch --prev-kv" "$(cpu etcdctl-prev)"
  stop "$etcd"
}

# of_history OURS THEIRS NAME: adds rows with wall and CPU time and their goals. The wall time has no goal
# if the server is the limit: if curl alone takes longer for the gateway, which etcdctl does not use.
of_history() {
  local what="e. 200,000 events over v3, $1" goal=1
  if awk -v a="$(wall "gateway-$1")" -v b="$(wall "$2")" 'BEGIN { exit !(a > b) }'; then goal=''; fi
  compare_times "$what, wall" "$(wall "$1")" "$3" "$(wall "$2")" $goal
  [ -n "$goal" ] || what+=' (server is the limit)'
  compare_times "$what, wall" "$(wall "$1")" "curl -sN of the gateway" "$(wall "gateway-$1")"
  what=${what% (*}
  compare_times "$what, CPU" "$(cpu "$1")" "$3" "$(cpu "$2")" 0.6
}

# peak EVENTS OPTION…: sets kib to the peak memory, the median of three runs with source_of. It must not
# run in a subshell, because its processes would not be ended with the run.
peak() {
  local events=$1
  shift
  source_of "$events"
  rm -f "$work/peaks"
  for _ in 1 2 3; do
    run "$gnu_time" -f %M -a -o "$work/peaks" \
      "$tool" --endpoints "$url" watch --stream -r /app --count "$events" "$@" >/dev/null
  done
  kib=$(sort -n "$work/peaks" | sed -n 2p)
}
gnu_time=$(type -P time)
mib() { awk -v kib="$1" 'BEGIN { printf "%.2f MiB", kib / 1024 }'; }

# An idle stream for a minute, while light measurements may run.
idle() {
  local TIMEFORMAT='%U %S'
  { time "$gnu_time" -f %M -o "$work/idle.peak" \
    "$tool" --api v2 watch --stream -r /app --timeout 60s >/dev/null 2>&1 || true; } 2>"$work/idle.cpu"
}
begin_idle() {
  start_etcd 3.5 --enable-v2=true
  idle_etcd=$etcd
  start idle
  idling=$started
}
idling=''

f() {
  local form kib few many
  for form in json text; do
    peak 10000 -o $form
    few=$kib
    peak $million -o $form
    many=$kib
    row "f. peak memory, 1 M events, $form" "$(mib "$many")" "" "$(mib "$many")" "10 MiB"
    row "f. peak memory, 10,000 events" "$(mib "$few")" "" \
      "$(awk -v a="$many" -v b="$few" 'BEGIN { d = (a / b - 1) * 100; printf "%.1f %%", d < 0 ? -d : d }')" "5 %"
  done
  finish "$idling"
  row "f. an idle stream for 60 s, CPU" "$(awk '{ print ($1 + $2) * 1000 " ms" }' "$work/idle.cpu")" "" \
    "$(awk '{ printf "%.3f %%", ($1 + $2) / 60 * 100 }' "$work/idle.cpu")" "0.1 %"
  row "f. an idle stream, peak memory" "$(mib "$(tail -n 1 "$work/idle.peak")")" "" \
    "$(mib "$(tail -n 1 "$work/idle.peak")")"
  row "f. release binary, stripped" "" "" "$(mib $(($(stat -c %s "$tool") / 1024)))" "7 MiB"
  stop "$idle_etcd"
}

g() {
  start_etcd 3.5 --enable-v2=true
  local keys events=20000 ours curl told note backlog whole reading
  for keys in 1 100 10000; do
    run "$stand" scale "$tool" "$url" "$keys" $events >"$work/scale"
    read -r ours curl told <"$work/scale"
    note=''
    [ "$told" = $events ] || note=" (received $told)"
    row "g. CPU time per event, $keys keys in scope" "$ours us" "curl -sN: $curl us$note" "$(ratio "$ours" "$curl") x"
  done
  run "$stand" catch-up "$tool" "$url" "$rounds" >"$work/catch-up"
  while read -r backlog whole reading; do
    row "g. catching up after a disconnect, $backlog events" "$whole ms, $reading ms from the first event on" "" \
      "$(awk -v a="$reading" -v b="$backlog" 'BEGIN { printf "%.3f ms per event", a / b }')"
  done <"$work/catch-up"
  stop "$etcd"
}

for ((at = 0; at < ${#letters}; at++)); do
  letter=${letters:at:1}
  # The idle minute begins after a and b, which use all cores.
  [[ $letter > b && -z $idling && ${letters:at} == *f* ]] && begin_idle
  echo "== $letter" >&2
  "$letter"
done
print_table
if [ -n "$results" ]; then
  print_markdown "$rounds" >"$work/RESULTS.md"
  mv "$work/RESULTS.md" "$root/benches/RESULTS.md"
fi
