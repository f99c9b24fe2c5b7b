package gpu

import (
	"slices"
	"testing"
)

// spans are n places of a size, each so far behind the last.
func spans(step, size, n int) []Span {
	list := make([]Span, n)
	for i := range list {
		list[i] = Span{i * step, size}
	}
	return list
}

// a100 are the profiles of an A100 with 80 GB.
var a100 = []Profile{
	{Name: "1g.10gb", Memory: 9728, Spans: spans(1, 1, 7)}, {Name: "1g.20gb", Memory: 19968, Spans: spans(2, 2, 4)},
	{Name: "2g.20gb", Memory: 19968, Spans: spans(2, 2, 3)}, {Name: "3g.40gb", Memory: 40192, Spans: spans(4, 4, 2)},
	{Name: "4g.40gb", Memory: 40192, Spans: spans(4, 4, 1)}, {Name: "7g.80gb", Memory: 80896, Spans: spans(8, 8, 1)},
}

func TestArrange(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
		at   []Span // nil: they do not fit
	}{
		{"Two", []string{"1g.10gb", "1g.10gb"}, []Span{{0, 1}, {1, 1}}},
		{"Nothing", nil, []Span{}},
		{"TheLargeOneFirst", []string{"1g.10gb", "3g.40gb"}, []Span{{4, 1}, {0, 4}}},
		{"FourBesideThree", []string{"3g.40gb", "4g.40gb"}, []Span{{4, 4}, {0, 4}}},
		{"FourTwice", []string{"4g.40gb", "4g.40gb"}, nil},
		{"EightOfSeven", slices.Repeat([]string{"1g.10gb"}, 8), nil},
		{"WholeAndMore", []string{"7g.80gb", "1g.10gb"}, nil},
		{"NotKnown", []string{"9g.90gb"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := Arrange(a100, c.want)
			if ok != (c.at != nil) || ok && !slices.Equal(got, c.at) {
				t.Errorf("got %v, %v, want %v", got, ok, c.at)
			}
			for i, a := range got {
				for _, b := range got[:i] {
					if ok && a.meets(b) {
						t.Errorf("%v and %v lie on each other", a, b)
					}
				}
			}
		})
	}
}

// BenchmarkFill cuts a GPU into as many of the smallest as there can be, which a
// submission asks for every GPU that could be cut.
func BenchmarkFill(b *testing.B) {
	for b.Loop() {
		Fill(a100, []string{"1g.10gb"}, "1g.10gb")
	}
}

func TestFill(t *testing.T) {
	if got := Fill(a100, []string{"1g.10gb"}, "1g.10gb"); len(got) != 7 {
		t.Errorf("filled up with the smallest: %v", got)
	}
	if got := Fill(a100, []string{"3g.40gb"}, "2g.20gb"); !slices.Equal(got, []string{"3g.40gb", "2g.20gb", "2g.20gb"}) {
		t.Errorf("beside the three: %v", got)
	}
	if got := Fill(a100, []string{"4g.40gb", "4g.40gb"}, "1g.10gb"); got != nil {
		t.Errorf("what does not fit: %v", got)
	}
}

func TestProfileNames(t *testing.T) {
	for word, want := range map[string]bool{
		"1g.10gb": true, "1c.3g.40gb": true, "1g.10gb.me": true, "a100": false, "": false, "1g": false, "g.10gb": false, "10gb": false, "0g.5gb": false,
	} {
		if IsProfile(word) != want {
			t.Errorf("%q: %v", word, !want)
		}
	}
	if got := ProfileName(3, 40192, ""); got != "3g.40gb" {
		t.Error(got)
	}
	if got := ProfileName(1, 9728, "me"); got != "1g.10gb.me" {
		t.Error(got)
	}
}
