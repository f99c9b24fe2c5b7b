package rinkrestd

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/sacctmgr"
)

// wholeDatabase is GET config of slurmdb: all listings of the accounts in one document.
func (q *request) wholeDatabase() {
	var doc show.Object
	for _, l := range []struct {
		key  string
		args []string
	}{
		{"clusters", []string{"cluster"}}, {"tres", []string{"tres"}}, {"accounts", []string{"account", "withassoc", "withcoord"}},
		{"users", []string{"user", "withassoc", "withcoord"}}, {"qos", []string{"qos"}}, {"wckeys", []string{"wckey"}}, {"associations", []string{"association"}},
	} {
		t := q.command(sacctmgr.Run, "sacctmgr", append(append([]string{"show"}, l.args...), "--json="+q.version)...)
		if t.code != 0 {
			q.refused(t)
			return
		}
		value, err := member(t.out, l.key)
		if err != nil {
			q.failed(err)
			return
		}
		doc = append(doc, show.Member{Key: l.key, Value: value})
	}
	q.answer(http.StatusOK, doc)
}

// member reads one member of a document, objects in the order in which they are written.
func member(doc, key string) (any, error) {
	in := json.NewDecoder(bytes.NewReader([]byte(doc)))
	in.UseNumber()
	v, err := ordered(in)
	if err != nil {
		return nil, err
	}
	if o, ok := v.(show.Object); ok {
		for _, m := range o {
			if m.Key == key {
				return m.Value, nil
			}
		}
	}
	return []any{}, nil
}

// ordered reads a value.
func ordered(in *json.Decoder) (any, error) {
	t, err := in.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := show.Object{}
		for in.More() {
			key, err := in.Token()
			if err != nil {
				return nil, err
			}
			v, err := ordered(in)
			if err != nil {
				return nil, err
			}
			name, _ := key.(string) // a key is nothing else
			o = append(o, show.Member{Key: name, Value: v})
		}
		_, err := in.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for in.More() {
			v, err := ordered(in)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := in.Token()
		return list, err
	}
	if n, ok := t.(json.Number); ok {
		if i, err := n.Int64(); err == nil {
			return i, nil
		}
		return n.Float64()
	}
	return t, nil
}
