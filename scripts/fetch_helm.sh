#!/bin/sh
# Builds Helm, with which the chart is tested, from the Go module that third_party/helm pins with its hashes. Needs Go
# 1.26 or later, and two minutes on two cores; only test/deploy/test_chart.py uses it, and skips without it.
set -eu
cd "$(dirname "$0")/.."
command -v go >/dev/null || {
	echo "go is missing: install Go 1.26 or later" >&2
	exit 1
}
out=$PWD/build/deps/helm
mkdir -p "$out"
cd third_party/helm
# As Helm's own releases do it: else it takes the cluster for a very old one.
kubernetes=helm.sh/helm/v3/pkg/chartutil.k8sVersion
go build -mod=readonly -trimpath -ldflags "-s -w -X ${kubernetes}Major=1 -X ${kubernetes}Minor=37" \
	-o "$out/helm" helm.sh/helm/v3/cmd/helm
echo "helm: $out/helm"
