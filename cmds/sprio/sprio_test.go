package sprio

import (
	"context"
	"strings"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show/showtest"
)

type factors struct {
	rinkpb.Controller
	reply *rinkpb.PrioritiesReply
}

func (f *factors) Priorities(context.Context, *rinkpb.PrioritiesRequest) (*rinkpb.PrioritiesReply, error) {
	return f.reply, nil
}

// recorded is the job of which a real cluster's sprio said what is wanted below.
func recorded() *rinkpb.PrioritiesReply {
	return &rinkpb.PrioritiesReply{
		Cluster: "ref",
		Weights: &rinkpb.PriorityWeights{Age: 1000, Assoc: 200, FairShare: 1000, JobSize: 100, Partition: 1000, Qos: 10000,
			Tres: []*rinkpb.TRESFactor{{Key: "cpu", Weight: 100}, {Key: "mem", Weight: 50}, {Key: "gres/gpu", Weight: 77}}},
		Jobs: []*rinkpb.JobFactors{{Job: 700171, Uid: 3002, User: "bob", Account: "chem", QosName: "normal", PartitionName: "debug", Priority: 803.8975697,
			Assoc: 1, FairShare: 0.4444444, JobSize: 0.53125, Partition: 0.1,
			Tres: []*rinkpb.TRESFactor{{Key: "cpu", Value: 0.0625, Weight: 100}, {Key: "mem", Value: 0.0015625, Weight: 50}}}},
	}
}

func TestListsAsSlurmDoes(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "" +
			"          JOBID PARTITION   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS                 TRES\n" +
			"         700171 debug            803          0          0        200        444         53        100          0          cpu=6,mem=0\n"},
		{"-l", "" +
			"          JOBID PARTITION     USER   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS        NICE                 TRES\n" +
			"         700171 debug          bob        803          0          0        200        444         53        100          0           0          cpu=6,mem=0\n"},
		{"-n", "" +
			"          JOBID PARTITION PRIORITY   AGE        ASSOC      FAIRSHARE  JOBSIZE    PARTITION  QOS        TRES                \n" +
			"         700171 debug     0.00000018 0.0000000  1.0000000  0.4444444  0.5312500  0.1000000  0.0000000  cpu=0.06,mem=0.00   \n"},
		{"-n -l", "" +
			"          JOBID PARTITION     USER PRIORITY   AGE        ASSOC      FAIRSHARE  JOBSIZE    PARTITION  QOS        TRES                \n" +
			"         700171 debug          bob 0.00000018 0.0000000  1.0000000  0.4444444  0.5312500  0.1000000  0.0000000  cpu=0.06,mem=0.00   \n"},
		{"-w", "" +
			"          JOBID PARTITION   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS                 TRES\n" +
			"        Weights                               1       1000        200       1000        100       1000      10000 cpu=100,mem=50,gres/\n"},
		{"-wn", "" +
			"          JOBID PARTITION PRIORITY   AGE        ASSOC      FAIRSHARE  JOBSIZE    PARTITION  QOS        TRES                \n" +
			"        Weights                      1000       200        1000       100        1000       10000                          \n"},
		{"-lw", "" +
			"          JOBID PARTITION     USER   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS        NICE                 TRES\n" +
			"        Weights                                        1       1000        200       1000        100       1000      10000             cpu=100,mem=50,gres/\n"},
		{"-u 3002", "" +
			"          JOBID PARTITION     USER   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS                 TRES\n" +
			"         700171 debug          bob        803          0          0        200        444         53        100          0          cpu=6,mem=0\n"},
		{"-p short", "          JOBID PARTITION   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS                 TRES\n"},
		{"-h -o %i", "700171\n"},
		{"-j 1,2", "Unable to find jobs matching user/id(s) specified\n"},
		{"-o %X", "\n\nsprio: error: Invalid job format specification: X\n"},
		{"-h -o %y|%t|%T|%S|%N|%a|%b|%f|%c", "0.00000018717199|cpu=0.06,mem=0.00|cpu=6,mem=0|0|0|0.0000000|1.0000000|0.4444444|(null)\n"},
		{"-h -M ref -o %c|%o|%n", "ref|chem|normal\n"},
		{"-S x", "sprio: error: Invalid sort specification: x\n"},
		{"-u nosuchuser -h", "sprio: error: Invalid user: nosuchuser\n\n"},
	} {
		t.Run(c.args, func(t *testing.T) {
			env, stdout, stderr := showtest.Env("sprio", strings.Fields(c.args))
			o, err := parse(env)
			if err != nil {
				t.Fatal(err)
			}
			list(env, o, &factors{reply: recorded()})
			if got := stdout.String() + stderr.String(); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestOrderAndFactorsThatCount(t *testing.T) {
	reply := &rinkpb.PrioritiesReply{Weights: &rinkpb.PriorityWeights{Age: 10, Qos: 100}, Jobs: []*rinkpb.JobFactors{
		{Job: 12, PartitionName: "a", Priority: 50, Qos: 0.5}, {Job: 3, PartitionName: "b", Priority: 71, Qos: 0.706},
		{Job: 3, PartitionName: "a", Priority: 7, Nice: 5, Qos: 0.07},
	}}
	for _, c := range []struct{ args, want string }{
		{"", "              3 b                 71          0          0         71\n" +
			"              3 a                  7          0          0          7\n" +
			"             12 a                 50          0          0         50\n"},
		{"-S -Y", "              3 b                 71          0          0         71\n" +
			"             12 a                 50          0          0         50\n" +
			"              3 a                  7          0          0          7\n"},
		{"-S r,-i -o %r%i", "a12\na3\nb3\n"},
	} {
		env, stdout, _ := showtest.Env("sprio", append(strings.Fields(c.args), "-h"))
		o, err := parse(env)
		if err != nil {
			t.Fatal(err)
		}
		if list(env, o, &factors{reply: reply}); stdout.String() != c.want {
			t.Errorf("sprio %s: got\n%swant\n%s", c.args, stdout, c.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-j x", "sprio: error: Invalid job id: x\n"},
		{"more", "sprio: error: Unrecognized option: more\n" + usageText + "\n"},
	} {
		env, stdout, stderr := showtest.Env("sprio", strings.Fields(c.args))
		if code := Run(env); code != 1 || stderr.String() != c.want || stdout.Len() > 0 {
			t.Errorf("sprio %s: exit %d, %q", c.args, code, stderr)
		}
	}
}
