package slurm

// whyGone is said of keys that no release since 22.05 knows.
const whyGone = "it has gone from Slurm, 22.05 no longer knew it"

// goneKeys are what older files hold and no release since 22.05 knows. A file that
// has grown over the years is read as if they were not there.
func goneKeys() []confKey {
	var out []confKey
	add := func(why string, names ...string) {
		if why != "" {
			why = whyGone + ": " + why
		} else {
			why = whyGone
		}
		for _, name := range names {
			out = append(out, newer(idleKey(name, "", why)))
		}
	}
	add(whyAccounting, "AccountingStorageLoc", "DefaultStorageHost", "DefaultStorageLoc", "DefaultStoragePass", "DefaultStoragePort",
		"DefaultStorageType", "DefaultStorageUser", "JobAcctFrequency", "JobAcctLogFile", "JobAcctType")
	add("who calls is asked of the system and kept for a while", "CacheGroups")
	add("jobs are not checkpointed", "CheckpointType", "JobCheckpointDir", "BlcrPath")
	add("no scheduler outside is asked", "SchedulerAuth", "SchedulerPort", "SchedulerRootFilter", "DynAllocPort")
	add("cgroup.conf and JobAcctGatherParams say what holds jobs to their memory", "MemLimitEnforce")
	add(whyDirect, "MsgAggregationParams", "TreeType")
	add(whySlices, "ChosLoc")
	add("", "Layouts", "HashBase", "HeartbeatInterval", "KillTree", "MpichGmDirectSupport", "SrunIOTimeout")
	return out
}
