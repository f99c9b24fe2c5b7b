//go:build !cgo || osusergo

package hostuser

var host = files
