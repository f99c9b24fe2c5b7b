package slurm

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestReadConfFiles(t *testing.T) {
	disk := map[string]string{
		"/etc/s/slurm.conf": "ClusterName=x\nInclude \"nodes.conf\" # all\n#Include old.conf\ninclude /abs/more.conf\nInclude=of-%c.conf\n", "/etc/s/of-x.conf": "", "/etc/s/nodes.conf": "Include deep.conf\n",
		"/etc/s/deep.conf": "# nothing\n", "/abs/more.conf": "Include nodes.conf\n", "/etc/s/gres.conf": "Name=gpu\n",
	}
	read := func(path string) ([]byte, error) {
		if text, ok := disk[path]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	}
	files, err := ReadConfFiles("/etc/s/slurm.conf", read)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if got, want := strings.Join(names, " "), "slurm.conf nodes.conf deep.conf /abs/more.conf of-x.conf gres.conf"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	disk["/etc/s/deep.conf"] = "Include gone.conf\n"
	if _, err := ReadConfFiles("/etc/s/slurm.conf", read); err == nil || !strings.Contains(err.Error(), "cannot include gone.conf") {
		t.Errorf("error %v does not name the missing file", err)
	}
	if _, err := ReadConfFiles("/none/slurm.conf", read); err == nil || !strings.Contains(err.Error(), "/none/slurm.conf") {
		t.Errorf("error %v does not name the missing file", err)
	}
}
