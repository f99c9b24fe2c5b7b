package ctld

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const small = `ClusterName=c
StateSaveLocation=/var/lib/c
NodeName=n1 CPUs=4
PartitionName=p Nodes=ALL Default=YES
`

func readConfigText(t *testing.T, text, host string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slurm.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return ReadConfig(path, host)
}

func TestReadConfigFindsItself(t *testing.T) {
	for name, c := range map[string]struct {
		hosts, listen, address, socket string
		rank                           int
	}{
		"Name":    {"SlurmctldHost=h1\n", ":6817", "h1:6817", "ctld", 0},
		"Address": {"SlurmctldHost=h1(10.0.0.1)\nSlurmctldPort=7000\n", "10.0.0.1:7000", "10.0.0.1:7000", "ctld", 0},
		"First":   {"SlurmctldHost=h1\nSlurmctldHost=h2\n", ":6817", "h1:6817", "ctld.h1", 0},
		"Backup":  {"SlurmctldHost=h0\nSlurmctldHost=h1\n", ":6817", "h1:6817", "ctld.h1", 1},
	} {
		got, err := readConfigText(t, c.hosts+small, "h1.example.org")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Name != "h1" || got.Listen != c.listen || got.Address != c.address || got.Socket != "/run/rink/c/"+c.socket+".sock" || got.Rank != c.rank {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestReadConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"ErrOtherHost": {"SlurmctldHost=h2\n" + small, "this host (h1) is not a controller: SlurmctldHost names h2"},

		"ErrBadKey":  {"SlurmctldHost=h1\nNosuch=1\n" + small, "slurm.conf:2: "},
		"ErrInclude": {"SlurmctldHost=h1\nInclude gone.conf\n" + small, "gone.conf"},
	} {
		if _, err := readConfigText(t, c.text, "h1"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}

func TestReadConfigOfName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slurm.conf")
	text := "SlurmctldHost=c1(127.0.0.1)\nSlurmctldHost=c2(127.0.0.2)\n" + strings.Replace(small, "/var/lib/c", "/var/lib/c/%n", 1)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadConfigOf(path, "somewhere", "c2")
	if err != nil || got.Name != "c2" || got.Rank != 1 || got.Listen != "127.0.0.2:6817" || got.StateDir != "/var/lib/c/c2" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ReadConfigOf(path, "somewhere", "c3"); err == nil || !strings.Contains(err.Error(), "c3 is not a controller: SlurmctldHost names c1, c2") {
		t.Errorf("another name: %v", err)
	}
}
