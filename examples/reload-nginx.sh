#!/usr/bin/env bash
# Keeps nginx's configuration as etcd has it: writes the value of a key to a file whenever it changes,
# and reloads nginx once after each burst of changes, if nginx takes the new file.
#
#   examples/reload-nginx.sh KEY FILE
#   examples/reload-nginx.sh /nginx/upstreams /etc/nginx/conf.d/upstreams.conf
#
# Needs jq. A file that nginx does not take is put back, with a message; the next change is tried all
# the same.
set -euo pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/${0##*/}

[ "$#" = 2 ] || [ "${1:-}" = --apply ] || { sed -n '2,9s/^# \?//p' "$0" >&2; exit 2; }

# Called by etcdwatch for the newest record, which is on standard input.
apply() {
  local file=$1 record
  record=$(cat)
  # A gap, and what stands around a state, has no value. A key that is gone leaves the file as it is.
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

# With --snapshot it begins with what is there; `latest` and --debounce make one reload of a burst.
exec etcdwatch watch --stream --snapshot "$1" --only get,set,create,update,compareAndSwap \
  --exec-mode latest --debounce 500ms --on-exec-failure continue -- "$self" --apply "$2"
