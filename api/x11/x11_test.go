package x11

import (
	"bytes"
	"net"
	"testing"
)

func TestParseDisplay(t *testing.T) {
	for s, want := range map[string]Display{
		":0": {}, ":5.1": {Number: 5, Screen: 1}, "unix:2": {Number: 2}, "host.example:10.0": {Host: "host.example", Number: 10}, "::1:3": {Host: "::1", Number: 3},
	} {
		if got, err := ParseDisplay(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "foo", ":", ":x", ":-1", ":1.", ":1.x", ":99999"} {
		if got, err := ParseDisplay(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
}

func TestEntries(t *testing.T) {
	list := []Entry{
		{FamilyLocal, "vm", "5", "XDM-AUTHORIZATION-1", []byte("no")}, {FamilyLocal, "vm", "5", Cookie, []byte("local")},
		{FamilyInternet, "\x0a\x00\x00\x01", "0", Cookie, []byte("far")}, {FamilyWild, "", "7", Cookie, []byte("wild")},
	}
	var file []byte
	for _, e := range list {
		file = append(file, e.Bytes()...)
	}
	got, err := ReadEntries(bytes.NewReader(file))
	if err != nil || len(got) != len(list) {
		t.Fatalf("%v, %v", got, err)
	}
	for _, c := range []struct {
		d     Display
		addrs []net.IP
		want  string
	}{
		{Display{Number: 5}, nil, "local"}, {Display{Number: 6}, nil, ""}, {Display{Number: 7}, nil, "wild"},
		{Display{Host: "localhost", Number: 5}, []net.IP{net.IPv4(127, 0, 0, 1)}, "local"},
		{Display{Host: "far"}, []net.IP{net.IPv4(10, 0, 0, 1)}, "far"}, {Display{Host: "far"}, []net.IP{net.IPv4(10, 0, 0, 2)}, ""},
	} {
		if cookie := Find(got, c.d, "vm", c.addrs); string(cookie) != c.want {
			t.Errorf("%+v: %q, want %q", c.d, cookie, c.want)
		}
	}
	if got, err := ReadEntries(bytes.NewReader(file[:len(file)-1])); err == nil || len(got) != 3 {
		t.Errorf("a torn file: %v, %v", got, err)
	}
}

func TestSetup(t *testing.T) {
	for _, order := range []byte{'B', 'l'} {
		s := &Setup{Order: order, Major: 11, Name: Cookie, Data: []byte("0123456789abcdef")}
		r := bytes.NewReader(append(s.Bytes(), 'x'))
		got, err := ReadSetup(r)
		if err != nil || got.Name != s.Name || got.Major != 11 || !bytes.Equal(got.Data, s.Data) || r.Len() != 1 {
			t.Errorf("%c: %+v, %v, %d left", order, got, err, r.Len())
		}
	}
	// As Xlib begins without an authorization on a machine like this one.
	if s, err := ReadSetup(bytes.NewReader([]byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0})); err != nil || s.Name != "" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"", "x\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00", "l\x00\x0b\x00\x00\x00\xff\xff\x00\x00\x00\x00"} {
		if s, err := ReadSetup(bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%q: %+v", bad, s)
		}
	}
	if got := Refusal('l', "no"); string(got) != "\x00\x02\x0b\x00\x00\x00\x01\x00no\x00\x00" {
		t.Errorf("refusal %q", got)
	}
}

func FuzzX11(f *testing.F) {
	f.Add([]byte("l\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00"), ":0.1")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		if s, err := ReadSetup(bytes.NewReader(data)); err == nil {
			again, err := ReadSetup(bytes.NewReader(s.Bytes()))
			if err != nil || again.Name != s.Name || !bytes.Equal(again.Data, s.Data) {
				t.Errorf("%+v became %+v, %v", s, again, err)
			}
		}
		if list, err := ReadEntries(bytes.NewReader(data)); err == nil {
			var file []byte
			for _, e := range list {
				file = append(file, e.Bytes()...)
			}
			if !bytes.Equal(file, data) {
				t.Errorf("%x became %x", data, file)
			}
		}
		ParseDisplay(name)
	})
}
