#!/usr/bin/env bash
# Gets private etcd servers for the tests and the quickstart, without root and without installing them.
#
#   tests/get-etcd.sh [all|any|3.4|3.5]
#
#   all   both versions (the default); fails and names the version that is missing
#   any   the first version that is available
#   3.4   etcd 3.4.23, from Debian's package etcd-server
#   3.5   etcd 3.5.30 and its etcdctl, from the packages of Debian's unstable suite
#
# They are unpacked once, under target/etcd/<version>/. The path of each etcd is printed on stdout, one
# per line, and everything else on stderr. ETCDWATCH_ETCD_3_4=/path/to/etcd and ETCDWATCH_ETCD_3_5 use
# other binaries.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
store=$root/target/etcd

# The directory of an unfinished download, which is always removed.
scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT

say() { printf 'get-etcd: %s\n' "$*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }

# is_etcd FILE MINOR: whether FILE is an etcd of that minor version that runs here.
is_etcd() {
  local answer
  [ -x "$1" ] && answer=$("$1" --version 2>/dev/null) || return 1
  [[ $answer == *"etcd Version: $2."* ]]
}

# The directory is on the same file system as the result, so that the final rename is atomic.
new_scratch() {
  mkdir -p "$store"
  scratch=$(mktemp -d "$store/.unpacking.XXXXXX")
}

# settle DIRECTORY PLACE MINOR: moves an unpacked directory to its place. If another run was faster,
# its result is kept.
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

# Runs a command of apt, and repeats it with fresh package lists if it fails. If both fail, the output
# is shown.
try_apt() {
  # As root, apt drops its privileges and cannot write here. It prints a warning and continues.
  "$@" >"$scratch/download.log" 2>&1 && return
  if refresh_package_lists && "$@" >"$scratch/download.log" 2>&1; then
    return
  fi
  sed 's/^/get-etcd:   /' "$scratch/download.log" >&2
  return 1
}

have_apt() {
  have apt-get && have dpkg-deb && return
  say "etcd comes from Debian's packages, and apt-get or dpkg-deb is missing here"
  return 1
}

# unpack_programs PROGRAM...: unpacks the downloaded packages, and moves these programs to $scratch/out.
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

# Downloads from a suite that this machine does not use. apt gets a separate configuration, and checks
# the signature as for any package.
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
    echo "If Debian's unstable suite has a newer version, put the newest 3.5 into"
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

# get MINOR FULL: prints the path of an etcd of that minor version, and downloads it if necessary.
get() {
  local minor=$1 full=$2 own_name own place
  own_name=ETCDWATCH_ETCD_${minor/./_}
  own=${!own_name:-}
  if [ -n "$own" ]; then
    if is_etcd "$own" "$minor"; then
      echo "$own"
      return
    fi
    say "$own_name=$own: not an etcd $minor that runs here"
    return 1
  fi
  place=$store/$full
  if ! is_etcd "$place/etcd" "$minor"; then
    new_scratch || return 1
    "unpack_${minor/./_}" || return 1
    if ! is_etcd "$scratch/out/etcd" "$minor"; then
      say "the download is not an etcd $minor that runs here"
      return 1
    fi
    settle "$scratch/out" "$place" "$minor" || return 1
    say "etcd $full is in target/etcd/$full"
  fi
  echo "$place/etcd"
}

# Each runs in its own subshell, which removes its scratch directory.
get_3_4() (
  trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
  get 3.4 3.4.23
)
get_3_5() (
  trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
  get 3.5 3.5.30
)

case ${1:-all} in
  3.4) get_3_4 || { say "no etcd 3.4; use ETCDWATCH_ETCD_3_4=/path/to/etcd"; exit 1; } ;;
  3.5) get_3_5 || { say "no etcd 3.5; use ETCDWATCH_ETCD_3_5=/path/to/etcd"; exit 1; } ;;
  any)
    # A version that is already there is preferred to a download.
    if [ ! -x "${ETCDWATCH_ETCD_3_4:-$store/3.4.23/etcd}" ] &&
      [ -x "${ETCDWATCH_ETCD_3_5:-$store/3.5.30/etcd}" ]; then
      get_3_5 || get_3_4 || failed=1
    else
      get_3_4 || get_3_5 || failed=1
    fi
    if [ -n "${failed:-}" ]; then
      say "no etcd is available; use ETCDWATCH_ETCD_3_4 or ETCDWATCH_ETCD_3_5=/path/to/etcd"
      exit 1
    fi
    ;;
  all)
    missing=()
    get_3_4 || missing+=("3.4 (use ETCDWATCH_ETCD_3_4=/path/to/etcd)")
    get_3_5 || missing+=("3.5 (use ETCDWATCH_ETCD_3_5=/path/to/etcd)")
    if [ ${#missing[@]} -gt 0 ]; then
      for one in "${missing[@]}"; do say "missing: etcd $one"; done
      exit 1
    fi
    ;;
  *)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
