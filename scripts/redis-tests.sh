#!/usr/bin/env bash
# Fetches Redis' source package, whose tests conformance/interop/redis-own-tests.test.ts runs against bench/src/redis-server. Nothing of it is kept
# in this repository. Needs a Debian or Ubuntu with apt-get, and root; says so and succeeds elsewhere. Usage: scripts/redis-tests.sh DIRECTORY
set -euo pipefail

directory=$1
if [ -d "$directory/redis/tests" ]; then
  echo "already there: Redis' tests"
  exit 0
fi
sources=(/etc/apt/sources.list.d/*.sources)
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ] || [ ! -e "${sources[0]}" ]; then
  echo "not fetched: Redis' tests (needs apt-get, root, and sources in /etc/apt/sources.list.d/*.sources)"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/parts" "$work/lists/partial" "$directory"
for file in "${sources[@]}"; do sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/parts/$(basename "$file")"; done
# Lists of its own: the system's say nothing of sources, and stay as they are.
apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$work/parts" -o "Dir::State::lists=$work/lists" -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$work" && "${apt[@]}" source --download-only redis)
mkdir "$work/redis"
tar -xzf "$work"/redis_*.orig.tar.gz -C "$work/redis" --strip-components=1
rm -rf "$directory/redis"
mv "$work/redis" "$directory/redis"
echo "fetched: Redis' tests"
