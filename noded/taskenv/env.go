// Package taskenv is the environment of a task while it is being put together.
package taskenv

import "strings"

// Env is a list of NAME=value strings in which a name stands once. The order
// names came in is kept.
type Env struct {
	list []string
	at   map[string]int
}

// New takes over a list; of a name that comes twice the last value holds.
// Strings that set nothing are left out.
func New(list []string) *Env {
	e := &Env{at: make(map[string]int, len(list)+16)}
	for _, kv := range list {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			e.Set(name, value)
		}
	}
	return e
}

// Set sets a variable.
func (e *Env) Set(name, value string) {
	kv := name + "=" + value
	if i, ok := e.at[name]; ok {
		e.list[i] = kv
		return
	}
	e.at[name] = len(e.list)
	e.list = append(e.list, kv)
}

// Unset takes a variable out.
func (e *Env) Unset(name string) {
	i, ok := e.at[name]
	if !ok {
		return
	}
	e.list = append(e.list[:i], e.list[i+1:]...)
	delete(e.at, name)
	for n, at := range e.at {
		if at > i {
			e.at[n] = at - 1
		}
	}
}

// Get returns a variable's value, "" when it is not set.
func (e *Env) Get(name string) string {
	if i, ok := e.at[name]; ok {
		return e.list[i][len(name)+1:]
	}
	return ""
}

// List returns the environment as exec takes it. The caller owns it.
func (e *Env) List() []string { return append([]string(nil), e.list...) }

// Clone returns a copy that changes by itself.
func (e *Env) Clone() *Env { return New(e.list) }
