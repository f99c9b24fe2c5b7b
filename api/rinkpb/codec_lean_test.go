//go:build lean

package rinkpb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
)

// TestCodec reads the messages that TestBothBodies wrote, and writes them again. What
// is cut off anywhere does no harm.
func TestCodec(t *testing.T) {
	in, err := os.Open(os.Getenv("RINK_CODEC_IN"))
	if err != nil {
		t.Skip("this is run by TestBothBodies")
	}
	defer in.Close()
	r := bufio.NewReader(in)
	word := func() []byte {
		n, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	var out []byte
	for name := word(); name != nil; name = word() {
		data := word()
		var m Message
		for _, make := range []func(string) Message{
			newFile_barn_proto, newFile_history_proto, newFile_local_proto, newFile_log_proto, newFile_nouns_proto, newFile_pmix_proto,
			newFile_rpc_proto, newFile_why_proto,
		} {
			if m == nil {
				m = make(string(name))
			}
		}
		if m == nil {
			t.Fatalf("there is no %s", name)
		}
		for n := range min(len(data), 300) {
			Unmarshal(data[:n], m)
		}
		if err := Unmarshal(data, m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, err := Marshal(nil, m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(binary.AppendUvarint(out, uint64(len(b))), b...)
	}
	if err := os.WriteFile(os.Getenv("RINK_CODEC_OUT"), out, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTextThatIsNotUTF8(t *testing.T) {
	if _, err := Marshal(nil, &SubmitRequest{Key: "\xff"}); err == nil {
		t.Error("it was written")
	}
}
