# shellcheck shell=bash disable=SC2154 # what is not assigned here, whoever sources it assigns
# To be sourced after processes.sh: the table of results.

# row WHAT ETCDWATCH BESIDE FIGURE [GOAL]: FIGURE begins with a number, and so does GOAL, which it
# should not exceed.
row() {
  local verdict=''
  [ -z "${5:-}" ] || verdict=$(awk -v figure="$4" -v goal="$5" \
    'BEGIN { print figure + 0 <= goal + 0 ? "ok" : "SHORT" }')
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:+<= $5}" "$verdict" >>"$work/rows"
  printf '%s: %s, %s %s\n' "$1" "$2" "${3:+beside $3,}" "$4${5:+, goal <= $5: $verdict}" >&2
}

# beside WHAT SECONDS NAME SECONDS [RATIO]: a row of two times and their ratio, which should not exceed
# RATIO.
beside() {
  row "$1" "$(ms "$2")" "$3: $(ms "$4")" "$(ratio "$2" "$4") x" ${5:+"$5 x"}
}

ms() { awk -v s="$1" 'BEGIN { printf s < 1 ? "%.1f ms" : "%.0f ms", s * 1000 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

headings=$'what\tetcdwatch\tbeside\tfigure\tgoal\t'

# For people: columns, and how much falls short.
print_table() {
  printf '%s\n' "$headings" | cat - "$work/rows" | awk -F'\t' '
    { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
    END {
      for (line = 1; line <= NR; line++) {
        text = ""
        for (i = 1; i <= NF; i++) text = text sprintf("%-" width[i] "s  ", cell[line, i])
        sub(/ +$/, "", text)
        print text
      }
    }'
  echo "$(short_of) fall short of their goals"
}
short_of() {
  awk -F'\t' '$5 != "" { all++ } $6 == "SHORT" { short++ } END { printf "%d of %d", short, all }' "$work/rows"
}

# print_markdown ROUNDS: for benches/RESULTS.md.
print_markdown() {
  echo "# etcdwatch beside curl and etcdctl"
  echo
  cat <<END
Written by \`benches/compare.sh --results\`. RUNS=$1: so many rounds, in which all take turns
(start-up: ten runs a round). A time is a median, unless it is called p99. What a goal is and why some
are missed is in [README.md](README.md).

etcdwatch is the static build (\`cargo static\`), but in the row that is of the one that is linked when it
is started. **a** whole processes; **b** events from a local server, one a chunk; **c** from sending a
write to having read its line: writes with a pause after each (isolated), as fast as they go
(back-to-back), or with writes of others between them (interleaved); **d** through a proxy that makes a
round trip 20 ms; **e** a history from a real server, where the gateway may take longer than etcdctl, which
does not go through it (server is the limit); **f** memory as the kernel counts it at its highest: the
percentage is by how much a million events need more than 10,000; **g** costs that grow, if they do, with
keys and backlog.
END
  echo
  versions
  echo
  printf '%s\n' "$headings" '---	---	---	---	---	---' | cat - "$work/rows" |
    sed 's/|/\\|/g; s/\t/ | /g; s/^/| /; s/$/ |/'
  echo
  echo "$(short_of) fall short of their goals."
}
