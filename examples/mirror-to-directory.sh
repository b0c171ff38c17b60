#!/usr/bin/env bash
# Mirrors a subtree to a directory: one file for each key, with exactly the bytes of its value.
#
#   examples/mirror-to-directory.sh KEY DIRECTORY
#   examples/mirror-to-directory.sh /app /run/app-config
#
# Needs jq. Over v3, KEY itself and a key with keys below it cannot be files, and this exits with 123.
# DIRECTORY and DIRECTORY.checkpoint belong to this script, which resumes where it stopped. After a
# gap it builds a new directory beside the old one, and replaces the old one when it is complete.
set -euo pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/${0##*/}

[ "$#" = 2 ] || [ "${1:-}" = --apply ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }

# etcdwatch runs this for each record, which is on stdin.
apply() {
  local root=$1 top=$2 record key name target
  record=$(cat)
  # A state that is being printed goes to a separate directory.
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
  # Keys and values may contain bytes that the environment cannot.
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
      # The file is written under another name, so that no reader sees a part of it.
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
  # The first state is complete at the record `synced`.
  rm -rf "$root.new"
  mkdir -p "$root.new"
fi
exec etcdwatch watch --stream -r --snapshot "$1" --checkpoint "$root.checkpoint" \
  -- "$self" --apply "$root" "$top"
