#!/bin/sh
# Builds Toxiproxy, which delays messages in the fault matrix, from the Go module that third_party/toxiproxy pins with
# its hashes. Needs Go 1.23 or later; only `test/chaos/matrix.py` uses it, and skips those cases without it.
set -eu
cd "$(dirname "$0")/.."
command -v go >/dev/null || {
	echo "go is missing: install Go 1.23 or later" >&2
	exit 1
}
out=$PWD/build/deps/toxiproxy
mkdir -p "$out"
cd third_party/toxiproxy
go build -mod=readonly -o "$out/toxiproxy-server" github.com/Shopify/toxiproxy/v2/cmd/server
echo "toxiproxy: $out/toxiproxy-server"
