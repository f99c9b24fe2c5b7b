package scontrol

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// Keys of the configuration whose values the data parser has in a form of their own; the others
// are numbers where they look like one, with or without a unit, and text.
var (
	confLists = strings.Fields(`AccountingStorageEnforce AccountingStorageParameters AccountingStorageTRES AccountingStoreFlags AcctGatherEnergyType AuthAltTypes
		BcastExclude BcastParameters CliFilterParameters CliFilterPlugins CommunicationParameters CpuFreqGovernors DebugFlags DependencyParameters EnforcePartLimits
		Epilog EpilogSlurmctld FederationParameters GresTypes HealthCheckNodeState JobAcctGatherFrequency JobAcctGatherParams JobSubmitPlugins LaunchParameters
		LicenseParameters Licenses MCSParameters MpiParams NodeFeaturesPlugins PrEpPlugins PreemptMode PreemptParameters PriorityFlags PrivateData Prolog
		PrologFlags PrologSlurmctld PropagateResourceLimits PropagateResourceLimitsExcept ReconfigFlags RequeueExit RequeueExitHold SchedulerParameters
		ScronParameters SelectTypeParameters SlurmctldParameters SlurmdParameters SuspendExcNodes SuspendExcParts SuspendExcStates SwitchParameters TaskPlugin
		TaskPluginParam TopologyParam X11Parameters`)
	confBools  = strings.Fields("GroupUpdateForce JobAcctOomKill JobFileAppend JobRequeue KillOnBadExit PriorityFavorSmall")
	confSets   = strings.Fields("DefMemPerCPU DefMemPerNode EpilogTimeout MaxMemPerCPU MaxMemPerNode PrologTimeout SuspendTime")
	confWords  = strings.Fields("PropagatePrioProcess ReturnToService")
	confFlags  = strings.Fields("AllowSpecResourcesUsage DisableRootJobs TrackWCKey UsePam")
	confRename = map[string]string{"PriorityWeightFairShare": "PriorityWeightFairshare"}
)

// configData is the configuration as data, and what is told of it beside.
func (c *call) configData(lines []slurm.ConfLine) (conf, meta show.Object) {
	set := func(key string, value any) { conf = append(conf, show.Member{Key: key, Value: value}) }
	version, path := cli.SurfaceVersion, ""
	flags, controllers := []string{}, []any{}
	for _, l := range lines {
		key, value := show.Or(confRename[l.Key], l.Key), l.Value
		if value == show.Null || value == "(null type)" || value == show.NA {
			value = ""
		}
		switch {
		case key == "BOOT_TIME", key == "NEXT_JOB_ID", key == "HASH_VAL", key == "MULTIPLE_SLURMD":
		case key == "SLURM_VERSION":
			version = value
		case key == "SLURM_CONF":
			path = value
		case strings.HasPrefix(key, "SlurmctldHost["):
			machine, address, _ := strings.Cut(strings.TrimSuffix(value, ")"), "(")
			controllers = append(controllers, show.Object{{Key: "machine", Value: machine}, {Key: "address", Value: show.Or(address, machine)}})
		case key == "SlurmUser", key == "SlurmdUser":
			name, id, _ := strings.Cut(strings.TrimSuffix(value, ")"), "(")
			set(key, name)
			set(key+"Id", leading(id))
		case key == "SrunPortRange":
			low, high, _ := strings.Cut(value, "-")
			set(key, show.Object{{Key: "minimum", Value: leading(low)}, {Key: "maximum", Value: leading(high)}, {Key: "set", Value: leading(high) > 0}})
		case slices.Contains(confFlags, key):
			if strings.EqualFold(value, "yes") {
				flags = append(flags, key)
			}
		case slices.Contains(confLists, key):
			list := []string{}
			if !strings.EqualFold(value, "none") {
				list = append(list, show.Words(value)...)
			}
			set(key, list)
		case slices.Contains(confBools, key):
			set(key, value == "1" || strings.EqualFold(value, "yes"))
		case slices.Contains(confSets, key) && (value == "UNLIMITED" || value == "INFINITE"):
			set(key, show.Endless())
		case slices.Contains(confSets, key):
			set(key, show.Number(leading(value)))
		case slices.Contains(confWords, key), !isAmount(value):
			set(key, value)
		default:
			set(key, leading(value))
		}
	}
	set("ConfFlags", flags)
	set("controllers", controllers)
	meta = show.Object{
		{Key: "BOOT_TIME", Value: api.TimeFromProto(c.reply.BootTime).Unix()}, {Key: "ClusterId", Value: show.NoNumber()}, {Key: "HashValue", Value: 0},
		{Key: "LastUpdate", Value: c.view.Now.Unix()}, {Key: "NEXT_JOB_ID", Value: show.Number(int64(c.reply.NextJob))},
		{Key: "SLURM_CONF", Value: path}, {Key: "SLURM_VERSION", Value: version},
	}
	return conf, meta
}

// isAmount reports whether a value is a number, alone or with a unit behind it.
func isAmount(value string) bool {
	number, unit, _ := strings.Cut(value, " ")
	_, err := strconv.ParseInt(number, 10, 64)
	return err == nil && slices.Contains([]string{"", "sec", "usec", "min", "nodes/min", "percent"}, unit)
}

// leading is the number that a value begins with.
func leading(value string) int64 {
	number, _, _ := strings.Cut(value, " ")
	n, _ := strconv.ParseInt(number, 10, 64)
	return n
}
