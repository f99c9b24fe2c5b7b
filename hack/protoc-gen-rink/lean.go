package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// messages writes the messages and enumerations of a file, without protobuf.
func messages(p *protogen.Plugin, f *protogen.File) {
	g := newFile(p, f, "lean", "lean")
	for _, e := range f.Enums {
		enum(g, e)
	}
	g.P("// new", f.GoDescriptorIdent.GoName, " makes a message of ", f.Desc.Path(), " by its name; nil for another.")
	g.P("func new", f.GoDescriptorIdent.GoName, "(name string) Message {")
	g.P("switch name {")
	named(g, f.Messages)
	g.P("}")
	g.P("return nil")
	g.P("}")
	g.P()
	for _, m := range f.Messages {
		message(g, m)
	}
}

func named(g *protogen.GeneratedFile, list []*protogen.Message) {
	for _, m := range list {
		if !m.Desc.IsMapEntry() {
			g.P("case \"", m.Desc.FullName(), "\": return new(", m.GoIdent, ")")
			named(g, m.Messages)
		}
	}
}

func enum(g *protogen.GeneratedFile, e *protogen.Enum) {
	g.P("type ", e.GoIdent, " int32")
	g.P()
	g.P("const (")
	for _, v := range e.Values {
		g.P(v.GoIdent, " ", e.GoIdent, " = ", v.Desc.Number())
	}
	g.P(")")
	g.P()
	g.P("func (x ", e.GoIdent, ") Enum() *", e.GoIdent, " { return &x }")
	g.P()
	g.P("func (x ", e.GoIdent, ") String() string {")
	g.P("switch x {")
	seen := map[protoreflect.EnumNumber]bool{}
	for _, v := range e.Values {
		if !seen[v.Desc.Number()] {
			g.P("case ", v.Desc.Number(), `: return "`, v.Desc.Name(), `"`)
		}
		seen[v.Desc.Number()] = true
	}
	g.P("}")
	g.P("return enumNumber(int32(x))")
	g.P("}")
	g.P()
}

// alone reports whether a field is in a oneof that a person wrote.
func alone(f *protogen.Field) bool { return f.Oneof != nil && !f.Oneof.Desc.IsSynthetic() }

func message(g *protogen.GeneratedFile, m *protogen.Message) {
	if m.Desc.IsMapEntry() {
		return
	}
	for _, e := range m.Enums {
		enum(g, e)
	}
	g.P("type ", m.GoIdent, " struct {")
	done := map[*protogen.Oneof]bool{}
	for _, f := range m.Fields {
		if alone(f) {
			if !done[f.Oneof] {
				done[f.Oneof] = true
				g.P(f.Oneof.GoName, " is", f.Oneof.GoIdent)
			}
			continue
		}
		g.P(f.GoName, " ", goType(g, f))
	}
	g.P("}")
	g.P()
	g.P("func (m *", m.GoIdent, ") Reset() { *m = ", m.GoIdent, "{} }")
	g.P()
	for _, o := range m.Oneofs {
		if o.Desc.IsSynthetic() {
			continue
		}
		g.P("type is", o.GoIdent, " interface{ is", o.GoIdent, "() }")
		g.P()
		for _, f := range o.Fields {
			g.P("type ", f.GoIdent, " struct { ", f.GoName, " ", goType(g, f), " }")
			g.P()
			g.P("func (*", f.GoIdent, ") is", o.GoIdent, "() {}")
			g.P()
		}
		g.P("func (m *", m.GoIdent, ") Get", o.GoName, "() is", o.GoIdent, " {")
		g.P("if m != nil { return m.", o.GoName, " }")
		g.P("return nil")
		g.P("}")
		g.P()
	}
	for _, f := range m.Fields {
		getter(g, m, f)
	}
	write(g, m)
	read(g, m)
	for _, n := range m.Messages {
		message(g, n)
	}
}

// scalar is a field's type without what makes it a list, a map or optional.
func scalar(g *protogen.GeneratedFile, f *protogen.Field) string {
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return "bool"
	case protoreflect.EnumKind:
		return g.QualifiedGoIdent(f.Enum.GoIdent)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return "int32"
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return "uint32"
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return "int64"
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return "uint64"
	case protoreflect.FloatKind:
		return "float32"
	case protoreflect.DoubleKind:
		return "float64"
	case protoreflect.StringKind:
		return "string"
	case protoreflect.BytesKind:
		return "[]byte"
	case protoreflect.MessageKind:
		return "*" + g.QualifiedGoIdent(f.Message.GoIdent)
	}
	panic(fmt.Sprintf("%s: protoc-gen-rink knows no %s", f.Desc.FullName(), f.Desc.Kind()))
}

// pointed reports whether a field that is not set is a nil pointer to its value.
func pointed(f *protogen.Field) bool {
	return f.Desc.HasPresence() && !alone(f) && f.Message == nil && f.Desc.Kind() != protoreflect.BytesKind
}

func goType(g *protogen.GeneratedFile, f *protogen.Field) string {
	switch {
	case f.Desc.IsMap():
		return "map[" + scalar(g, f.Message.Fields[0]) + "]" + scalar(g, f.Message.Fields[1])
	case f.Desc.IsList():
		return "[]" + scalar(g, f)
	case pointed(f):
		return "*" + scalar(g, f)
	}
	return scalar(g, f)
}

func zero(g *protogen.GeneratedFile, f *protogen.Field) string {
	if f.Desc.IsList() || f.Desc.IsMap() || f.Message != nil {
		return "nil"
	}
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return "false"
	case protoreflect.StringKind:
		return `""`
	case protoreflect.BytesKind:
		return "nil"
	case protoreflect.EnumKind:
		return g.QualifiedGoIdent(f.Enum.Values[0].GoIdent)
	}
	return "0"
}

func getter(g *protogen.GeneratedFile, m *protogen.Message, f *protogen.Field) {
	typ := goType(g, f)
	if pointed(f) {
		typ = typ[1:]
	}
	g.P("func (m *", m.GoIdent, ") Get", f.GoName, "() ", typ, " {")
	switch {
	case alone(f):
		g.P("if m != nil { if x, ok := m.", f.Oneof.GoName, ".(*", f.GoIdent, "); ok { return x.", f.GoName, " } }")
	case pointed(f):
		g.P("if m != nil && m.", f.GoName, " != nil { return *m.", f.GoName, " }")
	default:
		g.P("if m != nil { return m.", f.GoName, " }")
	}
	g.P("return ", zero(g, f))
	g.P("}")
	g.P()
}

// how says by which functions of the codec a kind is written and read.
func how(f *protogen.Field) string {
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return "Bool"
	case protoreflect.EnumKind, protoreflect.Int32Kind:
		return "Int32"
	case protoreflect.Uint32Kind:
		return "Uint32"
	case protoreflect.Int64Kind:
		return "Int64"
	case protoreflect.Uint64Kind:
		return "Uint64"
	case protoreflect.Sint32Kind:
		return "Sint32"
	case protoreflect.Sint64Kind:
		return "Sint64"
	case protoreflect.Fixed32Kind:
		return "Fixed32"
	case protoreflect.Fixed64Kind:
		return "Fixed64"
	case protoreflect.DoubleKind:
		return "Double"
	case protoreflect.StringKind:
		return "String"
	case protoreflect.BytesKind:
		return "Bytes"
	case protoreflect.MessageKind:
		return "Message"
	}
	panic(fmt.Sprintf("%s: protoc-gen-rink cannot write a %s", f.Desc.FullName(), f.Desc.Kind()))
}

// tagOf is a field's number and wire type as they are written.
func tagOf(f *protogen.Field) uint64 {
	typ := protowire.VarintType
	switch f.Desc.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		typ = protowire.BytesType
	case protoreflect.Fixed64Kind, protoreflect.DoubleKind:
		typ = protowire.Fixed64Type
	case protoreflect.Fixed32Kind:
		typ = protowire.Fixed32Type
	}
	if f.Desc.IsPacked() {
		typ = protowire.BytesType
	}
	return protowire.EncodeTag(f.Desc.Number(), typ)
}

// put is a call that writes one value.
func put(f *protogen.Field, value string) string {
	if f.Desc.Kind() == protoreflect.EnumKind {
		value = "int32(" + value + ")"
	}
	return fmt.Sprintf("w.put%s(%d, %s)", how(f), tagOf(f), value)
}

// write makes the method that writes a message, its fields in the order of their
// numbers, which is the order protobuf's own Go code keeps but for oneofs.
func write(g *protogen.GeneratedFile, m *protogen.Message) {
	g.P("func (m *", m.GoIdent, ") write(w *writer) {")
	g.P("if m == nil { return }")
	for _, f := range m.Fields {
		at := "m." + f.GoName
		switch {
		case alone(f):
			g.P("if x, ok := m.", f.Oneof.GoName, ".(*", f.GoIdent, "); ok { ", put(f, "x."+f.GoName), " }")
		case f.Desc.IsMap():
			k, v := f.Message.Fields[0], f.Message.Fields[1]
			g.P("for k, v := range ", at, " {")
			g.P("w.nested(", tagOf(f), ", func() {")
			g.P(put(k, "k"))
			g.P(put(v, "v"))
			g.P("})")
			g.P("}")
		case f.Desc.IsList() && f.Desc.IsPacked():
			g.P("if len(", at, ") > 0 {")
			g.P("w.nested(", tagOf(f), ", func() {")
			value := "v"
			if f.Desc.Kind() == protoreflect.EnumKind {
				value = "int32(v)"
			}
			g.P("for _, v := range ", at, " { w.add", how(f), "(", value, ") }")
			g.P("})")
			g.P("}")
		case f.Desc.IsList():
			g.P("for _, v := range ", at, " { ", put(f, "v"), " }")
		case pointed(f):
			g.P("if ", at, " != nil { ", put(f, "*"+at), " }")
		case f.Message != nil || f.Desc.HasPresence():
			g.P("if ", at, " != nil { ", put(f, at), " }")
		case f.Desc.Kind() == protoreflect.BoolKind:
			g.P("if ", at, " { ", put(f, at), " }")
		case f.Desc.Kind() == protoreflect.StringKind || f.Desc.Kind() == protoreflect.BytesKind:
			g.P("if len(", at, ") > 0 { ", put(f, at), " }")
		case f.Desc.Kind() == protoreflect.DoubleKind:
			g.P("if notZero(", at, ") { ", put(f, at), " }")
		default:
			g.P("if ", at, " != 0 { ", put(f, at), " }")
		}
	}
	g.P("}")
	g.P()
}

// take is an expression that reads one value.
func take(g *protogen.GeneratedFile, f *protogen.Field) string {
	get := "r.take" + how(f) + "()"
	if f.Desc.Kind() == protoreflect.EnumKind {
		return g.QualifiedGoIdent(f.Enum.GoIdent) + "(" + get + ")"
	}
	return get
}

// shared are fields of which many messages after one another have the same: what is
// read is then one message for all, which nobody may change.
var shared = map[protoreflect.FullName]bool{"runink.v1.Job.spec": true}

// read makes the method that reads a message's fields.
func read(g *protogen.GeneratedFile, m *protogen.Message) {
	g.P("func (m *", m.GoIdent, ") read(r *reader) {")
	g.P("for r.next() {")
	g.P("switch r.field {")
	for _, f := range m.Fields {
		at := "m." + f.GoName
		g.P("case ", int(tagOf(f)), ":")
		switch {
		case alone(f) && f.Message != nil:
			g.P("x, ok := m.", f.Oneof.GoName, ".(*", f.GoIdent, ")")
			g.P("if !ok || x.", f.GoName, " == nil { x = &", f.GoIdent, "{new(", f.Message.GoIdent, ")} }")
			g.P("r.takeMessage(x.", f.GoName, ")")
			g.P("m.", f.Oneof.GoName, " = x")
		case alone(f):
			g.P("m.", f.Oneof.GoName, " = &", f.GoIdent, "{", take(g, f), "}")
		case f.Desc.IsMap():
			k, v := f.Message.Fields[0], f.Message.Fields[1]
			g.P("var k ", scalar(g, k))
			g.P("var v ", scalar(g, v))
			if v.Message != nil {
				g.P("v = new(", v.Message.GoIdent, ")")
			}
			g.P("r.enter(func(r *reader) {")
			g.P("switch r.field {")
			g.P("case ", int(tagOf(k)), ": k = ", take(g, k))
			if v.Message != nil {
				g.P("case ", int(tagOf(v)), ": r.takeMessage(v)")
			} else {
				g.P("case ", int(tagOf(v)), ": v = ", take(g, v))
			}
			g.P("default: r.skip()")
			g.P("}")
			g.P("})")
			g.P("if ", at, " == nil { ", at, " = ", goType(g, f), "{} }")
			g.P(at, "[k] = v")
		case f.Desc.IsList() && f.Message != nil:
			g.P("v := new(", f.Message.GoIdent, ")")
			g.P("r.takeMessage(v)")
			g.P(at, " = append(", at, ", v)")
		case f.Desc.IsList() && f.Desc.IsPacked():
			g.P("r.packed(func(r *reader) { ", at, " = append(", at, ", ", take(g, f), ") })")
			g.P("case ", int(tagOf(f))-int(protowire.BytesType)+int(wireOf(f)), ": ", at, " = append(", at, ", ", take(g, f), ")")
		case f.Desc.IsList():
			g.P(at, " = append(", at, ", ", take(g, f), ")")
		case shared[f.Desc.FullName()]:
			g.P(at, " = takeShared(r, ", at, ")")
		case f.Message != nil:
			g.P("if ", at, " == nil { ", at, " = new(", f.Message.GoIdent, ") }")
			g.P("r.takeMessage(", at, ")")
		case pointed(f):
			g.P("v := ", take(g, f))
			g.P(at, " = &v")
		default:
			g.P(at, " = ", take(g, f))
		}
	}
	g.P("default: r.skip()")
	g.P("}")
	g.P("}")
	g.P("}")
	g.P()
}

// wireOf is the wire type of one value of a list that is packed.
func wireOf(f *protogen.Field) protowire.Type {
	switch f.Desc.Kind() {
	case protoreflect.Fixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.Fixed32Kind:
		return protowire.Fixed32Type
	}
	return protowire.VarintType
}
