# shellcheck shell=bash disable=SC2154 # the script that sources this assigns them
# To be sourced: provides programs from Debian's packages without installing them. The caller sets
# `root` to the root of the repository. It needs no privileges and writes only below target/.

# provide PROGRAM [PACKAGE]: makes PROGRAM available: that of the system, or else that of the package,
# which is unpacked under target/debian with its missing dependencies.
provide() {
  local store=$root/target/debian libraries
  type -P "$1" >/dev/null && return
  [ -x "$store/bin/$1" ] || unpack_debian "$store" "$1" "${2:-$1}" || {
    echo "${0##*/}: $1 is not on the PATH, and Debian's package ${2:-$1} could not be downloaded: install it" >&2
    return 1
  }
  # A wrapper around each program would be measured with it.
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
    # There is one name per line, without spaces.
    # shellcheck disable=SC2046,SC2086
    apt-get download $(printf '%s\n' "$1" $needs | sort -u) >/dev/null 2>&1
  }
  download "$3" || { apt-get update -qq >/dev/null 2>&1 && download "$3"; } || exit 1
  mkdir -p "$1/root" "$1/bin"
  for package in "$scratch"/*.deb; do dpkg-deb -x "$package" "$1/root" || exit 1; done
  ln -sf "../root/usr/bin/$2" "$1/bin/$2"
)
