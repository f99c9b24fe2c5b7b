package apitest

import (
	"fmt"
	"reflect"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// outcome are the fields of a dependency that say what became of it; what was
// merely asked for has none.
var outcome = []string{"dependency.state", "dependency.at"}

// Empty lists the fields below m that are not set, which after Fill no field
// of the noun went to. bare are fields of m itself that the noun has not.
func Empty(m proto.Message, bare ...string) []string {
	return empty(m.ProtoReflect(), "", bare)
}

func empty(m protoreflect.Message, path string, bare []string) []string {
	var list []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		where := path + string(f.Name())
		switch {
		case slices.Contains(bare, string(f.Name())):
		case f.ContainingOneof() != nil && !f.ContainingOneof().IsSynthetic() && !m.Has(f):
		case !m.Has(f):
			if !slices.ContainsFunc(outcome, func(o string) bool { return where == o || len(where) > len(o) && where[len(where)-len(o)-1:] == "."+o }) {
				list = append(list, where)
			}
		case f.Message() == nil:
		case f.IsList():
			for j := range m.Get(f).List().Len() {
				list = append(list, empty(m.Get(f).List().Get(j).Message(), where+".", nil)...)
			}
		default:
			list = append(list, empty(m.Get(f).Message(), where+".", nil)...)
		}
	}
	return list
}

// Differences names the fields in which two filled values differ.
func Differences(a, b any) []string {
	return differences(reflect.ValueOf(a), reflect.ValueOf(b), "")
}

func differences(a, b reflect.Value, path string) []string {
	switch {
	case a.Type() != b.Type():
		return []string{fmt.Sprintf("%s: a %v became a %v", path, a.Type(), b.Type())}
	case a.Kind() == reflect.Struct && a.NumField() > 0 && a.Type().Field(0).IsExported():
		var list []string
		for i := range a.NumField() {
			list = append(list, differences(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name)...)
		}
		return list
	case a.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil():
		return differences(a.Elem(), b.Elem(), path)
	case a.Kind() == reflect.Slice && a.Len() == b.Len():
		var list []string
		for i := range a.Len() {
			list = append(list, differences(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return list
	case !reflect.DeepEqual(a.Interface(), b.Interface()):
		return []string{fmt.Sprintf("%s: %+v became %+v", path, a.Interface(), b.Interface())}
	}
	return nil
}
