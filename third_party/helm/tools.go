//go:build tools

// Names the program that scripts/fetch_helm.sh builds, so that go.mod and go.sum pin it and what it needs.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
