package ctld

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestSecondControllerIsRefused(t *testing.T) {
	dir := t.TempDir()
	f, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockDir(dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second controller is told %v, want the directory and the process", err)
	}
	f.Close()
	again, err := lockDir(dir)
	if err != nil {
		t.Fatalf("the lock outlives its holder: %v", err)
	}
	again.Close()
}
