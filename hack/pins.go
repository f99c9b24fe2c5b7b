//go:build pins

// Package hack keeps in go.mod, at the versions tested together, the libraries
// whose rooms are still to come.
package hack

import (
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/jedib0t/go-pretty/v6/table"
)
