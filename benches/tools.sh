# shellcheck shell=bash disable=SC2034 # the script that sources this uses them
# To be sourced, with `set -euo pipefail`: provides the programs for a comparison, below target/ if they
# are not installed. Sets root, tool (the static release build), linked (the default, dynamically linked
# build) and stand.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# shellcheck source=tests/debian.sh
. "$root/tests/debian.sh"
provide curl
provide jq
provide hyperfine
provide time
provide etcdctl etcd-client
"$root/tests/get-etcd.sh" 3.5 >/dev/null

echo "building" >&2
(cd "$root" && cargo static --quiet && cargo build --release --locked --quiet --bin etcdwatch --example stand)
target=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
tool=$target/$(rustc --print host-tuple)/release/etcdwatch
linked=$target/release/etcdwatch stand=$target/release/examples/stand

# The versions of all programs and the machine, as a list in Markdown.
versions() {
  local commit changed=''
  commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
  [ -z "$(git -C "$root" status --porcelain -- "$root" ':!benches/RESULTS.md' 2>/dev/null)" ] || changed=', with changes'
  cat <<END
- $(date -u +%Y-%m-%d), commit $commit$changed
- $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores, Linux $(uname -r)
- $("$tool" --version), $(rustc --version | cut -d' ' -f1-2)
- etcd $("$(etcd_of 3.5)" --version | awk 'NR == 1 { print $3 }')
- etcdctl $(etcdctl version | awk 'NR == 1 { print $NF }')
- $(curl --version | awk 'NR == 1 { print $1, $2 }'), $(jq --version), $(hyperfine --version)
END
}
etcd_of() { "$root/tests/get-etcd.sh" "$1" | head -n 1; }
