package sacctmgr

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestData looks for single values in what --json prints.
func TestData(t *testing.T) {
	k := newKeeper()
	for _, line := range []string{
		"add qos tiny priority=20 maxtresperuser=cpu=4,gres/gpu=1 maxjobsperuser=2 maxwall=30 flags=DenyOnLimit",
		"add account chem description=chemistry fairshare=60 grptres=cpu=8",
		"add user ann account=chem maxjobs=5 adminlevel=operator", "add coordinator ann account=chem", "add user bob account=chem wckeys=w1",
	} {
		if out := k.run(t, "", append([]string{"-i"}, strings.Fields(line)...)...); !strings.HasSuffix(out, "rc=0\n") {
			t.Fatalf("%s:\n%s", line, out)
		}
	}
	get := func(line string, path ...any) string {
		out := k.run(t, "", append([]string{"--json"}, strings.Fields(line)...)...)
		var at any
		if err := json.Unmarshal([]byte(strings.TrimSuffix(out, "rc=0\n")), &at); err != nil {
			t.Fatalf("%s: %v:\n%s", line, err, out)
		}
		for _, p := range path {
			switch p := p.(type) {
			case string:
				at = at.(map[string]any)[p]
			case int:
				list := at.([]any)
				if p >= len(list) {
					return fmt.Sprintf("only %d", len(list))
				}
				at = list[p]
			}
		}
		return fmt.Sprint(at)
	}
	for _, c := range []struct {
		line string
		path []any
		want string
	}{
		{"show qos tiny", []any{"qos", 0, "limits", "max", "tres", "per", "user", 1, "id"}, "1001"},
		{"show qos tiny", []any{"qos", 0, "limits", "max", "wall_clock", "per", "job", "number"}, "30"},
		{"show qos tiny", []any{"qos", 0, "limits", "max", "jobs", "active_jobs", "per", "user", "number"}, "2"},
		{"show qos tiny", []any{"qos", 0, "limits", "max", "jobs", "count", "infinite"}, "true"},
		{"show qos tiny", []any{"qos", 0, "flags", 0}, "DENY_LIMIT"},
		{"show account chem", []any{"accounts", 0, "associations"}, "[]"},
		{"show account chem withassoc withcoord", []any{"accounts", 0, "associations", 0, "account"}, "chem"},
		{"show account chem withassoc withcoord", []any{"accounts", 0, "associations", 2, "account"}, "chem"},
		{"show account chem withassoc withcoord", []any{"accounts", 0, "coordinators", 0, "direct"}, "true"},
		{"show account chem withassoc withcoord", []any{"accounts", 1}, "only 1"},
		{"show user ann withassoc", []any{"users", 0, "administrator_level", 0}, "Operator"},
		{"show user ann withassoc", []any{"users", 0, "default", "account"}, "chem"},
		{"show user ann withcoord", []any{"users", 0, "coordinators", 0, "name"}, "chem"},
		{"show user bob", []any{"users", 0, "wckeys", 0, "name"}, "w1"},
		{"show assoc user=ann", []any{"associations", 0, "max", "jobs", "active", "number"}, "5"},
		{"show assoc account=chem user=", []any{"associations", 0, "max", "tres", "total", 0, "count"}, "8"},
		{"show assoc account=chem user=", []any{"associations", 0, "shares_raw"}, "60"},
		{"show tres type=gres", []any{"TRES", 0, "name"}, "gpu"},
		{"show cluster", []any{"clusters", 0, "associations", "root", "id"}, "1"},
		{"show wckey", []any{"wckeys", 0, "user"}, "bob"},
		{"show tres", []any{"meta", "slurm", "cluster"}, "ref"},
	} {
		if got := get(c.line, c.path...); got != c.want {
			t.Errorf("%s: %v is %s, want %s", c.line, c.path, got, c.want)
		}
	}
	if out := k.run(t, "", "--json", "show", "transactions"); out != "E| sacctmgr: error: transaction: it is printed as text only: leave out --json and --yaml\nrc=1\n" {
		t.Errorf("show transactions says\n%s", out)
	}
}

func TestDeleteWCKeys(t *testing.T) {
	k := newKeeper()
	k.run(t, "", "-i", "add", "account", "chem")
	k.run(t, "", "-i", "add", "user", "ann", "account=chem", "wckeys=w1,w2")
	for _, c := range []struct{ line, want string }{
		{"delete user ann wckeys=w3", " Nothing deleted\nrc=1\n"},
		{"delete user ann wckeys=w1", " Deleting user WCKeys...\n  C = ref        W = w1                   U = ann      \nrc=0\n"},
		{"-nP list user ann format=user,wckeys,defaultwckey", "ann|w2|w2\nrc=0\n"},
		{"delete user wckeys=w2", " Deleting user WCKeys...\n  C = ref        W = w2                   U = ann      \nrc=0\n"},
		{"-nP list wckey", "rc=0\n"},
		{"-nP list transaction action=nosuch", "E| sacctmgr: error: You gave a bad action 'nosuch'.\nrc=1\n"},
		{"-nP list user ann format=", "E| Unknown field ''\nrc=1\n"},
		{"add user ann account=chem nosuch=2", "E|  Unknown option: nosuch=2\nrc=1\n"},
		{"add user eve defaultaccount=nosuch", "E|  This account 'nosuch' doesn't exist.\nE|         Contact your admin to add this account.\n Nothing new added.\nrc=1\n"},
	} {
		want, stderr := "", ""
		for _, line := range strings.SplitAfter(c.want, "\n") { // stdout comes first
			if strings.HasPrefix(line, "E| ") {
				stderr += line
			} else if strings.HasPrefix(line, "rc=") {
				want += stderr + line
			} else {
				want += line
			}
		}
		if got := k.run(t, "", append([]string{"-i"}, strings.Fields(c.line)...)...); got != want {
			t.Errorf("%s says\n%s\nwant\n%s", c.line, got, want)
		}
	}
}

// TestRights: what people may not see or do, the command says in Slurm's words.
func TestRights(t *testing.T) {
	k := newKeeper()
	k.run(t, "", "-i", "add", "account", "chem")
	k.run(t, "", "-i", "add", "user", "bob", "account=chem")
	k.run(t, "", "-i", "add", "user", "olga", "account=chem", "adminlevel=operator")
	const no = "E| sacctmgr: error: Your user doesn't have privilege to perform this action\n"
	for _, c := range []struct{ user, line, want string }{
		{"bob", "dump ref file=x", "E|  Your user does not have sufficient privileges to dump clusters.\nrc=1\n"},
		{"olga", "dump ref file=x", "E|  Your user does not have sufficient privileges to dump clusters.\nrc=1\n"},
		{"bob", "list runawayjobs", "E| sacctmgr: error: You must have an AdminLevel>=Operator to fix runaway jobs\nrc=1\n"},
		{"olga", "list runawayjobs", "Runaway Jobs: No runaway jobs found on cluster ref\nrc=0\n"},
		{"bob", "list problem", "E| sacctmgr: error: Access/permission denied\nE|  Error with request: Access/permission denied\nrc=1\n"},
		{"bob", "list wckey", no + "E|  Error with request: Access/permission denied\nrc=1\n"},
		{"olga", "-nP list wckey", "rc=0\n"},
		{"olga", "list stats", "E| sacctmgr: accounting_storage/slurmdbd: acct_storage_p_get_stats: RC:2002 Your user doesn't have privilege to perform this action\nrc=1\n"},
		{"bob", "archive dump", no + "E|  Problem dumping archive: Access/permission denied\nrc=1\n"},
		{"olga", "shutdown", "E|  Problem shutting down server: Access/permission denied\nrc=1\n"},
		{"olga", "-i add cluster c", " Adding Cluster(s)\n  Name           = c\nE|  Problem adding clusters: Access/permission denied\nrc=1\n"},
		{"olga", "-i delete cluster ref", no + "E|  Error with request: Access/permission denied\nrc=1\n"},
		{"bob", "-i add federation f", " Adding Federation(s)\n  f\nE|  Problem adding federation(s): Access/permission denied\nrc=1\n"},
		{"bob", "-i delete federation f", no + "E|  Error with request: Access/permission denied\nrc=1\n"},
		{"bob", "-i add qos normal", " Nothing new added.\nrc=1\n"},
		{"olga", "-i modify user bob set adminlevel=operator", "E| sacctmgr: error: You must be a super user to modify a users admin level\nE|  Error with request: Access/permission denied\nrc=1\n"},
	} {
		k.user = c.user
		if got := k.run(t, "", strings.Fields(c.line)...); got != c.want {
			t.Errorf("%s, %s: says\n%s\nwant\n%s", c.user, c.line, got, c.want)
		}
	}
}

func TestConditions(t *testing.T) {
	k := newKeeper()
	k.run(t, "", "-i", "add", "account", "chem")
	for _, c := range []struct{ line, want string }{
		{"list account withassoc=chem", "E|  Unknown condition: withassoc=chem\nE|  Use keyword 'set' to modify value\nrc=1\n"},
		{"list assoc qos=nosuch", "E| sacctmgr: error: You gave a bad qos 'nosuch'. Valid QOS's are normal\nE|  Unknown condition: qos=nosuch\nrc=1\n"},
		{"list user wckey=x", "E|  Unknown condition: wckey=x\nE|  Use keyword 'set' to modify value\nrc=1\n"},
		{"-nP list account org=x,chem format=account", "chem\nrc=0\n"},
		{"-nP list account withassoc parent=root format=account,parentname", "chem|root\nroot|\nrc=0\n"},
		{"-nP list txn action=foo", "E| sacctmgr: error: You gave a bad action 'foo'.\nrc=1\n"},
		{"-nP list cluster rpc=1", "rc=0\n"},
		{"-nP list problem account=nosuch", "rc=0\n"},
		{"list runaway other", "Runaway Jobs: No runaway jobs found on cluster other\nrc=0\n"},
		{"delete q normal", "E| No valid entity in delete command\nE| Input line must include \"Account\", \"Cluster\", \"Coordinator\", \"Federation\", \"QOS\", \"Resource\", or \"User\"\nrc=1\n"},
		{"delete user foo=bar", "E|  Unknown condition: foo=bar\nE|  Use keyword 'set' to modify value\nE|  No conditions given to remove, not executing.\nrc=1\n"},
		{"delete user x foo=bar", "E|  Unknown condition: foo=bar\nE|  Use keyword 'set' to modify value\nrc=1\n"},
		{"modify federation f set clusters=ref", "E|  The federation f doesn't exist.\nrc=1\n"},
		{"add federation", "E|  Need name of federation to add.\nrc=1\n"},
		{"dump other more", "E|  Can only do one cluster at a time.  Already doing other\nE|  Cluster other doesn't exist.\nrc=1\n"},
		{"reconfigure x", "E| too many arguments for reconfigure keyword\nrc=1\n"},
		{"clear", "E| No valid entity in list command\nE| Input line must include \"Stats\"\nrc=1\n"},
		{"list qos id=x", "E| sacctmgr: error: Invalid value for QOS ID (x)\nrc=1\n"},
		{"list qos preemptmode=x", "E| sacctmgr: error: Unknown preempt_mode given 'x'\nE|  Bad Preempt Mode given: preemptmode=x\nrc=1\n"},
		{"-nP list qos preemptmode=cluster format=name", "normal\nrc=0\n"},
		{"-nP list assoc qos=normal format=account", "root\nrc=0\n"},
		{"-i modify account chem set pa=nosuch", "E|  Parent Account nosuch doesn't exist.\nrc=1\n"},
	} {
		if got := k.run(t, "", strings.Fields(c.line)...); got != c.want {
			t.Errorf("%s says\n%s\nwant\n%s", c.line, got, c.want)
		}
	}
}
