//go:build tools

// Names the program that scripts/fetch_toxiproxy.sh builds, so that go.mod and go.sum pin it and what it needs.
package tools

import _ "github.com/Shopify/toxiproxy/v2/cmd/server"
