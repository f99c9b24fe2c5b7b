package show

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// odd is a document with every kind of value there is.
func odd() Object {
	return Object{
		{"text", "a \"b\" \\ <c> é\t\n"}, {"empty", ""}, {"yes", true}, {"n", -3}, {"job", slurm.JobID(7)}, {"x", 0.25}, {"big", uint64(math.MaxUint64)}, {"none", nil},
		{"list", []any{Object{{"a", 1}}, []string{"b", "c"}, []any{}, "d"}}, {"nothing", []string(nil)}, {"object", Object{}}, {"objects", []Object{{{"z", []int{1, 2}}}}},
	}
}

func TestDocumentsAreWhatTheEncoderWouldWrite(t *testing.T) {
	var got, compact, want bytes.Buffer
	if err := writeDocument(&got, odd(), false); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(odd())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compact, got.Bytes()); err != nil {
		t.Fatalf("%v in\n%s", err, &got)
	}
	text := strings.NewReplacer(`<`, `\u003c`, `>`, `\u003e`, `"nothing":[]`, `"nothing":null`).Replace(compact.String())
	if text != string(plain) {
		t.Errorf("wrote\n%s\nwant\n%s", text, plain)
	}
	if err := json.Indent(&want, compact.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	if want.WriteByte('\n'); want.String() != got.String() {
		t.Errorf("laid out as\n%s\nwant\n%s", &got, &want)
	}
}

func TestYAMLDocuments(t *testing.T) {
	var got bytes.Buffer
	if err := writeDocument(&got, odd(), true); err != nil {
		t.Fatal(err)
	}
	want := `---
text: "a \"b\" \\ <c> é\t\n"
empty: ""
yes: true
n: -3
job: 7
x: 0.25
big: 18446744073709551615
none: null
list:
  -
    a: 1
  -
    - "b"
    - "c"
  - []
  - "d"
nothing: []
object: {}
objects:
  -
    z:
      - 1
      - 2
...
`
	if got.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", &got, want)
	}
}
