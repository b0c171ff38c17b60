# shellcheck shell=bash disable=SC2154 # the script that sources this assigns them
# To be sourced after processes.sh: the table of results.

# row WHAT ETCDWATCH BASELINE FIGURE [GOAL]: adds a row. FIGURE and GOAL begin with a number, and FIGURE
# should not exceed GOAL.
row() {
  local verdict=''
  [ -z "${5:-}" ] || verdict=$(awk -v figure="$4" -v goal="$5" \
    'BEGIN { print figure + 0 <= goal + 0 ? "ok" : "missed" }')
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:+<= $5}" "$verdict" >>"$work/rows"
  printf '%s: %s, %s %s\n' "$1" "$2" "${3:+$3,}" "$4${5:+, goal <= $5: $verdict}" >&2
}

# compare_times WHAT SECONDS NAME SECONDS [RATIO]: adds a row with two times and their ratio, which
# should not exceed RATIO.
compare_times() {
  row "$1" "$(ms "$2")" "$3: $(ms "$4")" "$(ratio "$2" "$4") x" ${5:+"$5 x"}
}

ms() { awk -v s="$1" 'BEGIN { printf s < 1 ? "%.1f ms" : "%.0f ms", s * 1000 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

headings=$'what\tetcdwatch\tbaseline\tfigure\tgoal\tresult'

# The table in columns, for a terminal.
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
  echo "$(missed_goals) goals are missed"
}
missed_goals() {
  awk -F'\t' '$5 != "" { all++ } $6 == "missed" { missed++ } END { printf "%d of %d", missed, all }' "$work/rows"
}

# print_markdown ROUNDS: the contents of benches/RESULTS.md.
print_markdown() {
  echo "# Benchmark results"
  echo
  cat <<END
Written by \`benches/compare.sh --results\` with RUNS=$1: the number of rounds, in which all programs take
turns (ten runs per round for start-up). Times are medians unless marked p99. [README.md](README.md)
explains the goals and why some are missed.

etcdwatch is the static build (\`cargo static\`), except in the row of the dynamically linked build.

- **a**: whole processes.
- **b**: events from a local server, one per chunk.
- **c**: the time from sending a write to reading its line. Writes come with a pause after each (isolated),
  without pauses (back-to-back), or with other writes between them (interleaved).
- **d**: over a proxy with a round trip of 20 ms.
- **e**: the history of a real server. The gateway may be slower than etcdctl, which does not use it (server
  is the limit).
- **f**: peak memory as the kernel reports it. The percentage compares a million events with 10,000.
- **g**: costs that may grow with the number of keys and the backlog.
END
  echo
  versions
  echo
  printf '%s\n' "$headings" '---	---	---	---	---	---' | cat - "$work/rows" |
    sed 's/|/\\|/g; s/\t/ | /g; s/^/| /; s/$/ |/'
  echo
  echo "$(missed_goals) goals are missed."
}
