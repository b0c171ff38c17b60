#!/usr/bin/env bash
# Keeps a configuration file of nginx in sync with etcd: writes the value of a key to the file when it
# changes, and reloads nginx once after each burst of changes if nginx accepts the new file.
#
#   examples/reload-nginx.sh KEY FILE
#   examples/reload-nginx.sh /nginx/upstreams /etc/nginx/conf.d/upstreams.conf
#
# Needs jq. If nginx rejects a file, this prints a message and restores the old one. The next change
# is tried again.
set -euo pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/${0##*/}

[ "$#" = 2 ] || [ "${1:-}" = --apply ] || { sed -n '2,9s/^# \?//p' "$0" >&2; exit 2; }

# etcdwatch runs this for the newest record, which is on stdin.
apply() {
  local file=$1 record
  record=$(cat)
  # A gap and the records around a state have no value. If the key is deleted, the file is kept.
  jq -e '.node | has("value")' <<<"$record" >/dev/null || return 0
  jq -j '.node.value' <<<"$record" >"$file.new"
  if [ -e "$file" ] && cmp -s "$file" "$file.new"; then
    rm "$file.new"
    return
  fi
  [ ! -e "$file" ] || cp -p "$file" "$file.old"
  mv "$file.new" "$file"
  if nginx -t -q; then
    nginx -s reload
    echo "reload-nginx: reloaded" >&2
  else
    if [ -e "$file.old" ]; then mv "$file.old" "$file"; else rm "$file"; fi
    echo "reload-nginx: nginx does not take the new $file; it is as before" >&2
    return 1
  fi
}

if [ "$1" = --apply ]; then
  apply "$2"
  exit
fi

# --snapshot starts with the present value. `latest` and --debounce reload once for a burst.
exec etcdwatch watch --stream --snapshot "$1" --only get,set,create,update,compareAndSwap \
  --exec-mode latest --debounce 500ms --on-exec-failure continue -- "$self" --apply "$2"
