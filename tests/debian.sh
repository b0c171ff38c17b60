# shellcheck shell=bash disable=SC2154 # what is not assigned here, whoever sources it assigns
# To be sourced: programs out of Debian's packages, where they are not installed. The caller sets
# `root`, that of the repository. No root is needed, and nothing is left outside target/.

# provide PROGRAM [PACKAGE]: when this returns, PROGRAM can be run: the system's, or else the
# package's, unpacked under target/debian with what it depends on and is not installed.
provide() {
  local store=$root/target/debian libraries
  type -P "$1" >/dev/null && return
  [ -x "$store/bin/$1" ] || unpack_debian "$store" "$1" "${2:-$1}" || {
    echo "${0##*/}: $1 is not on the PATH, and Debian's package ${2:-$1} could not be had: install it" >&2
    return 1
  }
  # Not a wrapper around each: that would be measured with it.
  : "${own_libraries=${LD_LIBRARY_PATH:-}}"
  libraries=$(find "$store/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
  export LD_LIBRARY_PATH=$libraries${own_libraries:+:$own_libraries}
  case :$PATH: in *":$store/bin:"*) ;; *) PATH=$PATH:$store/bin ;; esac
}

# unpack_debian STORE PROGRAM PACKAGE
unpack_debian() (
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  cd "$scratch" || exit 1
  download() {
    local needs
    needs=$(apt-get --simulate --no-install-recommends install "$1" 2>/dev/null |
      awk '$1 == "Inst" { print $2 }') || return 1
    # One a line, none with a space in it.
    # shellcheck disable=SC2046,SC2086
    apt-get download $(printf '%s\n' "$1" $needs | sort -u) >/dev/null 2>&1
  }
  download "$3" || { apt-get update -qq >/dev/null 2>&1 && download "$3"; } || exit 1
  mkdir -p "$1/root" "$1/bin"
  for package in "$scratch"/*.deb; do dpkg-deb -x "$package" "$1/root" || exit 1; done
  ln -sf "../root/usr/bin/$2" "$1/bin/$2"
)
