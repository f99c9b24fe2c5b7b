package lz4

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	noise := make([]byte, 70000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for _, c := range []struct {
		name string
		text []byte
		most int // of the packed block
	}{
		{"nothing", nil, 1},
		{"short", []byte("abc"), 4},
		{"one letter", bytes.Repeat([]byte{'a'}, 100000), 450},
		{"words", []byte(strings.Repeat("the quick brown fox. ", 5000)), 600},
		{"noise", noise, 70400},
		{"far", append(append([]byte{}, noise...), noise...), 141000},
	} {
		t.Run(c.name, func(t *testing.T) {
			packed := Pack(nil, c.text)
			if len(packed) > c.most {
				t.Errorf("%d bytes are packed into %d, want at most %d", len(c.text), len(packed), c.most)
			}
			got, err := Unpack(packed, len(c.text))
			if err != nil || !bytes.Equal(got, c.text) {
				t.Errorf("does not come back: %v", err)
			}
		})
	}
}

// A block made by another program: "hello hello hello hello" and its end.
func TestUnpackKnown(t *testing.T) {
	block := []byte("\x6bhello \x06\x00\x20lo")
	got, err := Unpack(block, 6+15+2)
	if err != nil || string(got) != "hello hello hello hello"[:6+15]+"lo" {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(Pack(nil, []byte(strings.Repeat("ab", 100))), 200)
	f.Add([]byte{0xff}, 10)
	f.Fuzz(func(t *testing.T, block []byte, size int) {
		if size > 1<<20 {
			return
		}
		if text, err := Unpack(block, size); err == nil && len(text) != size {
			t.Errorf("%d bytes, not %d", len(text), size)
		}
		if got, err := Unpack(Pack(nil, block), len(block)); err != nil || !bytes.Equal(got, block) {
			t.Errorf("does not come back: %v", err)
		}
	})
}
