#!/usr/bin/env bash
# Makes homes as a given Parlor leaves them, and what it shows of them: `make.sh PARLOR NAME` writes NAME.tar.gz beside this
# script. The identities are made for it and thrown away. Run by whoever freezes the store of a version, never by a test.
set -euo pipefail
parlor=$(realpath "$1")
name=$2
here=$(cd "$(dirname "$0")" && pwd)
# Bound directories are written into the store, so this one has a name that means nothing anywhere.
root=/tmp/parlor-store
rm -rf "$root"
mkdir -p "$root/project"
trap 'for who in alice bob carol; do run "$who" node stop >/dev/null 2>&1 || true; done; rm -rf "$root"' EXIT

run() { # WHO ARGS…: in the bound directory
  local who=$1
  shift
  (cd "$root/project" && env -u CLAUDECODE HOME="$root" USER="$who" "$parlor" --home "$root/$who" "$@")
}
# From elsewhere, so that a home without a binding needs no room of its own.
show() { # WHO FILE ARGS…
  local who=$1 file=$2
  shift 2
  (cd / && PARLOR_ROOM=money HOME="$root" USER="$who" "$parlor" --home "$root/$who" "$@" --json) >"$root/$who/shown/$file.json"
}
has() { run "$1" "$2" --help >/dev/null 2>&1; }

for who in alice bob carol; do
  mkdir -p -m 700 "$root/$who/shown"
  printf '# by hand\nnick = "%s"\nlan = false\n' "$who" >"$root/$who/config.toml"
done
run alice start payments | sed 's/^parlor join //' >"$root/ticket"
run bob join --no-bind - <"$root/ticket"
run carol join --no-bind - <"$root/ticket"
run alice send "postgres, we have it"
run bob send --room payments - <<<$'two lines,\nthe second with ünïcode 日本'
run carol send --room payments --priority now "hello from carol"
# What is shown is what reached the disk of both: each send waits until it has been acknowledged by who is linked.
until [ "$(run alice log --json | wc -l)" = 3 ]; do :; done
run alice member remove carol
run alice send "after carol"
run alice room alias payments money
run alice peer name bob robert
run alice peer verify robert --yes >/dev/null
if has alice tell; then
  run alice tell robert "between us"
  until run bob log --room @alice --json 2>/dev/null | grep -q "between us"; do :; done
  run bob tell alice "only for you"
  until run alice log --room @robert --json | grep -q "only for you"; do :; done
  run alice start --local --no-bind scratch
  run alice send --room scratch "a note to myself"
  show alice log-direct log --room @robert
  show alice log-scratch log --room scratch
fi
run alice invite money --uses 3 --expires 365d >/dev/null
# A session that has been given all until here.
call='{"session_id":"s1","hook_event_name":"UserPromptSubmit","cwd":"'$root/project'","prompt":"x"}'
run alice hook <<<"$call" | grep -q "after carol"
run bob send --room payments "unread one"
run bob send --room payments "unread two"
until [ "$(run alice log --json | wc -l)" = 6 ]; do :; done
show alice unread unread
for what in "rooms room list" "room room show money" "who who" "tickets ticket list money --all" "peers peer list" \
  "identity identity show"; do
  # shellcheck disable=SC2086
  show alice $what
done
show alice log log --room money
show bob log log --room payments
show bob identity identity show
for who in alice bob carol; do run "$who" node stop; done
rm -rf "$root"/*/node.* "$root/carol" "$root/ticket" "$root/project"
tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --exclude='*.db-shm' -czf "$here/$name.tar.gz" alice bob
