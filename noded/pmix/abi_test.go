package pmix

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestABI holds what shim.go writes out of PMIx against its header, where that is
// installed.
func TestABI(t *testing.T) {
	flags, err := exec.Command("pkg-config", "--cflags", "pmix").Output()
	args := strings.Fields(string(flags))
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/*/pmix*/include/pmix_server.h")
		if len(found) == 0 {
			t.Skip("there is no pmix_server.h here")
		}
		args = []string{"-I" + filepath.Dir(found[0])}
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("there is no C compiler here")
	}
	raw, err := os.ReadFile("shim.go")
	if err != nil {
		t.Fatal(err)
	}
	source := string(raw)
	var c strings.Builder
	c.WriteString("#include <stddef.h>\n#include <string.h>\n#include <pmix_server.h>\n")
	from, to := strings.Index(source, "typedef struct { char nspace"), strings.Index(source, "} info_t;")
	if from < 0 || to < from {
		t.Fatal("shim.go has no proc_t ... info_t")
	}
	c.WriteString(strings.ReplaceAll(source[from:to], "bool ", "_Bool ") + "} info_t;\n")
	same := func(ours, theirs string, fields ...string) {
		c.WriteString("_Static_assert(sizeof(" + ours + ") == sizeof(" + theirs + "), \"size of " + theirs + "\");\n")
		for _, f := range fields {
			c.WriteString("_Static_assert(offsetof(" + ours + ", " + f + ") == offsetof(" + theirs + ", " + f + "), \"" + theirs + "." + f + "\");\n")
		}
	}
	same("proc_t", "pmix_proc_t", "nspace", "rank")
	same("array_t", "pmix_data_array_t", "type", "size", "array")
	same("value_t", "pmix_value_t", "type", "data")
	same("info_t", "pmix_info_t", "key", "flags", "value")
	for _, v := range [][2]string{
		{"PMIX_SUCCESS", "0"}, {"PMIX_ERROR", "-1"}, {"PMIX_ERR_NOT_FOUND", "-46"}, {"PMIX_ERR_NOT_SUPPORTED", "-47"}, {"PMIX_OPERATION_SUCCEEDED", "-157"},
		{"PMIX_STRING", "3"}, {"PMIX_UINT16", "13"}, {"PMIX_UINT32", "14"}, {"PMIX_INFO", "24"}, {"PMIX_DATA_ARRAY", "39"}, {"PMIX_PROC_RANK", "40"},
		{"(PMIX_RANK_WILDCARD)", "4294967294"},
	} {
		c.WriteString("_Static_assert(" + v[0] + " == " + v[1] + ", \"" + v[0] + "\");\n")
	}
	for name, at := range map[string]string{
		"client_connected": "AT_CONNECTED", "client_finalized": "AT_FINALIZED", "abort": "AT_ABORT", "fence_nb": "AT_FENCE", "direct_modex": "AT_DMODEX",
		"register_events": "AT_REGISTER_EVENTS", "deregister_events": "AT_DEREGISTER_EVENTS",
	} {
		m := regexp.MustCompile(at + ` = (\d+)`).FindStringSubmatch(source)
		if m == nil {
			t.Fatalf("shim.go has no %s", at)
		}
		c.WriteString("_Static_assert(offsetof(pmix_server_module_t, " + name + ") == " + m[1] + " * sizeof(void *), \"" + name + "\");\n")
	}
	c.WriteString("_Static_assert(sizeof(pmix_server_module_t) <= 64 * sizeof(void *), \"pmix_server_module_t\");\n")
	c.WriteString("int main(void) {\n")
	keys := map[string]string{
		"pmix.srvr.tmpdir": "PMIX_SERVER_TMPDIR", "pmix.sys.tmpdir": "PMIX_SYSTEM_TMPDIR", "pmix.hname": "PMIX_HOSTNAME", "pmix.srv.nspace": "PMIX_SERVER_NSPACE",
		"pmix.srv.rank": "PMIX_SERVER_RANK", "pmix.nmap": "PMIX_NODE_MAP", "pmix.pmap": "PMIX_PROC_MAP", "pmix.jobid": "PMIX_JOBID", "pmix.univ.size": "PMIX_UNIV_SIZE",
		"pmix.job.size": "PMIX_JOB_SIZE", "pmix.max.size": "PMIX_MAX_PROCS", "pmix.app.size": "PMIX_APP_SIZE", "pmix.job.napps": "PMIX_JOB_NUM_APPS",
		"pmix.num.nodes": "PMIX_NUM_NODES", "pmix.local.size": "PMIX_LOCAL_SIZE", "pmix.node.size": "PMIX_NODE_SIZE", "pmix.nlist": "PMIX_NODE_LIST",
		"pmix.lpeers": "PMIX_LOCAL_PEERS", "pmix.lldr": "PMIX_LOCALLDR", "pmix.nodeid": "PMIX_NODEID", "pmix.offset": "PMIX_NPROC_OFFSET", "pmix.tmpdir": "PMIX_TMPDIR",
		"pmix.nsdir": "PMIX_NSDIR", "pmix.rank": "PMIX_RANK", "pmix.appnum": "PMIX_APPNUM", "pmix.aldr": "PMIX_APPLDR", "pmix.grank": "PMIX_GLOBAL_RANK",
		"pmix.apprank": "PMIX_APP_RANK", "pmix.lrank": "PMIX_LOCAL_RANK", "pmix.nrank": "PMIX_NODE_RANK", "pmix.pdata": "PMIX_PROC_INFO_ARRAY",
	}
	for _, m := range regexp.MustCompile(`"(pmix\.[a-z.]+)"`).FindAllStringSubmatch(source, -1) {
		if keys[m[1]] == "" {
			t.Errorf("shim.go has the key %s, which is not in this test", m[1])
		}
	}
	for key, name := range keys {
		c.WriteString("\tif (strcmp(\"" + key + "\", " + name + ")) return 1;\n")
	}
	c.WriteString("\treturn 0;\n}\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "abi.c"), []byte(c.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-o", filepath.Join(dir, "abi"), filepath.Join(dir, "abi.c"))
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("the header says otherwise: %v\n%s", err, out)
	}
	if err := exec.Command(filepath.Join(dir, "abi")).Run(); err != nil {
		t.Errorf("a key is called otherwise in the header: %v", err)
	}
}
