//go:build !cgo

package pmix

import "errors"

func load() (library, error) {
	return nil, errors.New("this rink was built without cgo, and cannot load libpmix.so.2")
}
