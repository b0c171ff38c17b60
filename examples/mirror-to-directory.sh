#!/usr/bin/env bash
# Mirrors a subtree to a directory: a file a key, with the key's value in it, to the byte.
#
#   examples/mirror-to-directory.sh KEY DIRECTORY
#   examples/mirror-to-directory.sh /app /run/app-config
#
# Needs jq. By v3, KEY itself and a key that others are below can't be files: it ends with 123 then.
# DIRECTORY and DIRECTORY.checkpoint are this script's own. It goes on where it stopped; after
# a gap it is made anew beside the old one, and takes its place when it is complete.
set -euo pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/${0##*/}

[ "$#" = 2 ] || [ "${1:-}" = --apply ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }

# Called by etcdwatch for each record, which is on standard input.
apply() {
  local root=$1 top=$2 record key name target
  record=$(cat)
  # While a state is told it goes to a directory of its own.
  [ -d "$root.new" ] && target=$root.new || target=$root
  case $ETCD_WATCH_ACTION in
    gap) return ;;
    reset)
      rm -rf "$root.new"
      mkdir "$root.new"
      return
      ;;
    synced)
      [ -d "$root.new" ] || return 0
      rm -rf "$root.old"
      [ ! -d "$root" ] || mv "$root" "$root.old"
      mv "$root.new" "$root"
      rm -rf "$root.old"
      return
      ;;
  esac
  # Not from the environment: a value may hold what that can't.
  key=$(jq -r '.node.key // empty' <<<"$record")
  name=${key#"$top"}
  name=${name#/}
  case /$name/ in
    */../* | */./* | *//?*)
      echo "mirror: '$key' can't be a file" >&2
      return 1
      ;;
  esac
  case $ETCD_WATCH_ACTION in
    delete | expire | compareAndDelete) rm -rf "${target:?}/$name" ;;
    *)
      if jq -e '.node.dir' <<<"$record" >/dev/null; then
        mkdir -p "$target/$name"
        return
      fi
      mkdir -p "$(dirname "$target/$name")"
      # Beside it, so that nobody ever reads a part of it.
      if jq -e '.node | has("valueBase64")' <<<"$record" >/dev/null; then
        jq -j '.node.valueBase64' <<<"$record" | base64 -d >"$target/$name.new~"
      else
        jq -j '.node.value' <<<"$record" >"$target/$name.new~"
      fi
      mv -T "$target/$name.new~" "$target/$name"
      ;;
  esac
}

if [ "$1" = --apply ]; then
  apply "$2" "$3"
  exit
fi

root=${2%/} top=${1%/}
if [ ! -e "$root.checkpoint" ]; then
  # The first state is complete when `synced` comes.
  rm -rf "$root.new"
  mkdir -p "$root.new"
fi
exec etcdwatch watch --stream -r --snapshot "$1" --checkpoint "$root.checkpoint" \
  -- "$self" --apply "$root" "$top"
