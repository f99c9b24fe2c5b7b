//go:build !lean

package rinkpb

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// fill sets the fields of a message by chance, each with a chance of share percent.
func fill(r *rand.Rand, m protoreflect.Message, share, deep int) {
	number := func() uint64 { return r.Uint64() >> r.IntN(64) }
	value := func(fd protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
		switch fd.Kind() {
		case protoreflect.BoolKind:
			return protoreflect.ValueOfBool(r.IntN(2) == 0)
		case protoreflect.EnumKind:
			return protoreflect.ValueOfEnum(protoreflect.EnumNumber(r.IntN(fd.Enum().Values().Len() + 1)))
		case protoreflect.StringKind:
			return protoreflect.ValueOfString(fmt.Sprintf("%.*s", r.IntN(300), fmt.Sprintf("äöü %0300d", number())))
		case protoreflect.BytesKind:
			return protoreflect.ValueOfBytes(make([]byte, r.IntN(200)))
		case protoreflect.Int32Kind, protoreflect.Sint32Kind:
			return protoreflect.ValueOfInt32(int32(number()))
		case protoreflect.Int64Kind, protoreflect.Sint64Kind:
			return protoreflect.ValueOfInt64(int64(number()))
		case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
			return protoreflect.ValueOfUint32(uint32(number()))
		case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
			return protoreflect.ValueOfUint64(number())
		case protoreflect.DoubleKind:
			return protoreflect.ValueOfFloat64(r.NormFloat64())
		case protoreflect.MessageKind:
			fill(r, v.Message(), share, deep-1)
			return v
		}
		panic(fmt.Sprintf("%s is a %s", fd.FullName(), fd.Kind()))
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if r.IntN(100) >= share || deep == 0 && (fd.Message() != nil) {
			continue
		}
		switch {
		case fd.IsMap():
			into := m.Mutable(fd).Map()
			for range r.IntN(3) {
				into.Set(value(fd.MapKey(), protoreflect.Value{}).MapKey(), value(fd.MapValue(), into.NewValue()))
			}
		case fd.IsList():
			into := m.Mutable(fd).List()
			for range r.IntN(4) {
				into.Append(value(fd, into.NewElement()))
			}
		default:
			m.Set(fd, value(fd, m.NewField(fd)))
		}
	}
}

// TestBothBodies has messages of every type, as protobuf writes them, read and written
// by the package's other body.
func TestBothBodies(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var list []proto.Message
	var in []byte
	add := func(m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		name := m.ProtoReflect().Descriptor().FullName()
		in = append(binary.AppendUvarint(in, uint64(len(name))), name...)
		in = append(binary.AppendUvarint(in, uint64(len(b))), b...)
		list = append(list, m)
	}
	var each func(protoreflect.MessageDescriptors)
	each = func(all protoreflect.MessageDescriptors) {
		for i := range all.Len() {
			d := all.Get(i)
			if d.IsMapEntry() {
				continue
			}
			typ, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
			if err != nil {
				t.Fatal(err)
			}
			for _, share := range []int{0, 20, 60, 100} {
				m := typ.New()
				fill(r, m, share, 3)
				add(m.Interface())
			}
			each(d.Messages())
		}
	}
	files := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("runink.v1", func(f protoreflect.FileDescriptor) bool {
		files++
		each(f.Messages())
		return true
	})
	if files < 8 {
		t.Fatalf("only %d files", files)
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(from, in, 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("go", "test", "-count=1", "-tags", "lean", ".")
	run.Env = append(os.Environ(), "RINK_CODEC_IN="+from, "RINK_CODEC_OUT="+to)
	if text, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	out, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range list {
		n, wide := binary.Uvarint(out)
		got := want.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(out[wide:wide+int(n)], got); err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v\n%v\nwant\n%v", want.ProtoReflect().Descriptor().FullName(), err, got, want)
		}
		if out = out[wide+int(n):]; t.Failed() {
			return
		}
	}
}
