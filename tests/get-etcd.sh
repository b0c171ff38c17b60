#!/usr/bin/env bash
# Gets private etcds for the tests and the quickstart: no root, nothing installed.
#
#   tests/get-etcd.sh [all|any|3.4|3.5]
#
#   all   both (the default); fails, naming what could not be had
#   any   whichever can be had first
#   3.4   etcd 3.4.23, out of Debian's package etcd-server
#   3.5   etcd 3.5.30 and its etcdctl, out of the packages of Debian's unstable suite
#
# They are unpacked once, under target/etcd/<version>/. The path of each etcd is printed on
# stdout, a line each; everything else goes to stderr. An etcd of your own is taken instead
# where ETCDWATCH_ETCD_3_4 or ETCDWATCH_ETCD_3_5 names one.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
store=$root/target/etcd

# What is being unpacked; never left behind.
scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT

say() { printf 'get-etcd: %s\n' "$*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }

# Is $1 an etcd that runs here, of the minor version $2?
is_etcd() {
  local answer
  [ -x "$1" ] && answer=$("$1" --version 2>/dev/null) || return 1
  [[ $answer == *"etcd Version: $2."* ]]
}

# A directory beside the final place, so that the rename at the end is atomic.
new_scratch() {
  mkdir -p "$store"
  scratch=$(mktemp -d "$store/.unpacking.XXXXXX")
}

# Moves the unpacked directory $1 to the version's place $2. Where another run was quicker,
# its result stands.
settle() {
  chmod 755 "$1"
  if [ -e "$2" ] && ! is_etcd "$2/etcd" "$3"; then
    rm -rf "$2"
  fi
  mv -T "$1" "$2" 2>/dev/null || [ -x "$2/etcd" ]
}

refresh_package_lists() {
  if [ "$(id -u)" = 0 ]; then
    say "refreshing the package lists (apt-get update)"
    apt-get update >&2
  elif have sudo && sudo -n true 2>/dev/null; then
    say "refreshing the package lists (sudo apt-get update)"
    sudo -n apt-get update >&2
  else
    say "the package lists may be missing or old: run 'sudo apt-get update' and try again"
    return 1
  fi
}

# apt's commands for these packages, tried again with fresh package lists; what they say is shown
# where both fail.
try_apt() {
  # As root, apt drops its rights and then can't write here; it says so and goes on.
  "$@" >"$scratch/download.log" 2>&1 && return
  if refresh_package_lists && "$@" >"$scratch/download.log" 2>&1; then
    return
  fi
  sed 's/^/get-etcd:   /' "$scratch/download.log" >&2
  return 1
}

have_apt() {
  have apt-get && have dpkg-deb && return
  say "etcd comes out of Debian's packages, and apt-get or dpkg-deb is missing here"
  return 1
}

# Unpacks the packages that were downloaded, and moves the programs named to $scratch/out.
unpack_programs() {
  local package program
  for package in "$scratch"/*.deb; do dpkg-deb -x "$package" "$scratch/package" || return 1; done
  mkdir "$scratch/out"
  for program in "$@"; do mv "$scratch/package/usr/bin/$program" "$scratch/out/" || return 1; done
}

download_3_4() (
  cd "$scratch" && apt-get download etcd-server
)

unpack_3_4() {
  have_apt || return 1
  say "downloading Debian's etcd-server"
  try_apt download_3_4 && unpack_programs etcd
}

# Out of a suite that the machine doesn't use: apt is given a configuration of its own, and checks
# the signature as with any package.
download_3_5() (
  cd "$scratch" || exit 1
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -m 1 '/debian/*$') || {
    echo "none of the machine's package sources is a mirror of Debian"
    exit 1
  }
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$keys] $mirror sid main" >unstable.list
  mkdir -p lists/partial cache/archives/partial
  unstable() {
    apt-get -o Dir::Etc::SourceList="$scratch/unstable.list" -o Dir::Etc::SourceParts=/dev/null \
      -o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch/cache" \
      -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
  }
  unstable update && unstable download {etcd-server,etcd-client}="$package_3_5" || {
    echo "Where Debian's unstable suite has moved on, put the newest 3.5 that is there into"
    echo "tests/get-etcd.sh and tests/it/support/etcd.rs."
    exit 1
  }
)

package_3_5=3.5.30-2

unpack_3_5() {
  have_apt || return 1
  say "downloading etcd-server and etcd-client $package_3_5 of Debian's unstable suite"
  try_apt download_3_5 && unpack_programs etcd etcdctl
}

# get MINOR FULL: prints the path of an etcd of that minor version, getting it where needed.
get() {
  local minor=$1 full=$2 own_name own place
  own_name=ETCDWATCH_ETCD_${minor/./_}
  own=${!own_name:-}
  if [ -n "$own" ]; then
    if is_etcd "$own" "$minor"; then
      echo "$own"
      return
    fi
    say "$own_name=$own: that is no etcd $minor that runs here"
    return 1
  fi
  place=$store/$full
  if ! is_etcd "$place/etcd" "$minor"; then
    new_scratch || return 1
    "unpack_${minor/./_}" || return 1
    if ! is_etcd "$scratch/out/etcd" "$minor"; then
      say "what came is no etcd $minor that runs here"
      return 1
    fi
    settle "$scratch/out" "$place" "$minor" || return 1
    say "etcd $full is in target/etcd/$full"
  fi
  echo "$place/etcd"
}

# Each in a subshell of its own, which clears its scratch directory away.
get_3_4() (
  trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
  get 3.4 3.4.23
)
get_3_5() (
  trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
  get 3.5 3.5.30
)

case ${1:-all} in
  3.4) get_3_4 || { say "no etcd 3.4; ETCDWATCH_ETCD_3_4=/path/to/etcd takes one of yours"; exit 1; } ;;
  3.5) get_3_5 || { say "no etcd 3.5; ETCDWATCH_ETCD_3_5=/path/to/etcd takes one of yours"; exit 1; } ;;
  any)
    # What is there already comes before what would have to be downloaded.
    if [ ! -x "${ETCDWATCH_ETCD_3_4:-$store/3.4.23/etcd}" ] &&
      [ -x "${ETCDWATCH_ETCD_3_5:-$store/3.5.30/etcd}" ]; then
      get_3_5 || get_3_4 || failed=1
    else
      get_3_4 || get_3_5 || failed=1
    fi
    if [ -n "${failed:-}" ]; then
      say "no etcd could be had; ETCDWATCH_ETCD_3_4 or ETCDWATCH_ETCD_3_5=/path/to/etcd takes one of yours"
      exit 1
    fi
    ;;
  all)
    missing=()
    get_3_4 || missing+=("3.4 (ETCDWATCH_ETCD_3_4=/path/to/etcd takes one of yours)")
    get_3_5 || missing+=("3.5 (ETCDWATCH_ETCD_3_5=/path/to/etcd takes one of yours)")
    if [ ${#missing[@]} -gt 0 ]; then
      for one in "${missing[@]}"; do say "could not be had: etcd $one"; done
      exit 1
    fi
    ;;
  *)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
