package sched

import (
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// testConfig is a configuration with one partition, CPUs and memory given out.
func testConfig() *Config {
	return &Config{
		Conf: &slurm.Conf{ClusterName: "ref", SelectTypeParameters: []string{"CR_CPU_MEMORY"}, DefMemPerCPU: 100, MaxArraySize: 1001,
			GresTypes: []string{"gpu"}, AccountingStorageTRES: []string{"gres/gpu", "gres/gpu:a100", "license/matlab"}, JobRequeue: true},
		TracksMemory: true,
		Partitions:   []*Partition{{Name: "main", State: "UP", MaxTime: slurm.Unlimited, PriorityTier: 1, PriorityJobFactor: 1}},
		Default:      "main",
	}
}

// setConf sets what stories change of the configuration.
func setConf(c *Config, key, value string) {
	switch key {
	case "EnforcePartLimits":
		c.Conf.EnforcePartLimits = value
	case "SelectTypeParameters":
		c.Conf.SelectTypeParameters = strings.Split(strings.ToUpper(value), ",")
	case "MaxArraySize":
		c.Conf.MaxArraySize, _ = strconv.Atoi(value)
	case "SchedulerType":
		c.Conf.SchedulerType = value
	case "SchedulerParameters":
		c.Conf.SchedulerParameters = slurm.ParseParameters(value)
	case "CompleteWait":
		n, _ := strconv.Atoi(value)
		c.Conf.CompleteWait = slurm.Duration(n)
	case "PreemptType":
		c.Conf.PreemptType = value
	case "PreemptMode":
		c.Conf.PreemptMode = strings.Split(value, ",")
	case "PreemptExemptTime":
		minutes, _ := strconv.Atoi(value)
		c.Conf.PreemptExemptTime = slurm.Duration(minutes * 60)
	case "PreemptParameters":
		c.Conf.PreemptParameters = slurm.ParseParameters(value)
	default:
		panic("no such key: " + key)
	}
}
