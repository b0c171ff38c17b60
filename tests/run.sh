#!/usr/bin/env bash
# The whole suite, against real etcds: gets both (see tests/get-etcd.sh), then runs every test.
# What follows the command is passed on to cargo: `tests/run.sh --test it harness`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The tests find the etcds where this puts them. A version that can't be had is a failure:
# no test is ever skipped for want of a server.
tests/get-etcd.sh all >/dev/null || {
  echo "tests/run.sh: the tests need both etcd versions; see above what is missing" >&2
  exit 1
}

# The recipes in examples/ pipe into jq. Where there is none, Debian's is unpacked beside the etcds.
get_jq() (
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  download() { (cd "$scratch" && apt-get download jq libjq1 libonig5 >/dev/null 2>&1); }
  download || { apt-get update -qq >/dev/null 2>&1 && download; } || exit 1
  mkdir -p "$1/root" "$1/bin"
  for package in "$scratch"/*.deb; do dpkg-deb -x "$package" "$1/root" || exit 1; done
  printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' \
    "$(dirname "$(find "$1/root" -name 'libjq.so*' | head -n 1)")" "$1/root/usr/bin/jq" >"$1/bin/jq"
  chmod 755 "$1/bin/jq"
)
jq=$PWD/target/jq
command -v jq >/dev/null || PATH=$jq/bin:$PATH
command -v jq >/dev/null || get_jq "$jq" || true
jq --version >/dev/null || {
  echo "tests/run.sh: the tests of the recipes need jq, 1.6 or newer: install it" >&2
  exit 1
}

# Ctrl-C is a part of what is tested; whoever started this may have it ignored, and the tool
# leaves alone what it finds ignored.
exec env --default-signal=INT,HUP,TERM cargo test --locked "$@"
