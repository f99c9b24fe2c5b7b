package sched

import (
	"strings"

	"github.com/runink/rink/slurm"
)

// kindClass is what Slurm has a word of its own for among the kinds.
type kindClass uint8

const (
	classCPU kindClass = iota
	classMem
	classEnergy
	classNode
	classBilling
	classGres
	classLicense
	classBB
	classUnknown
	classes
)

func classOf(key string) kindClass {
	typ, _, _ := strings.Cut(key, "/")
	switch typ {
	case "cpu":
		return classCPU
	case "mem":
		return classMem
	case "energy":
		return classEnergy
	case "node":
		return classNode
	case "billing":
		return classBilling
	case "gres":
		return classGres
	case "license":
		return classLicense
	case "bb":
		return classBB
	}
	return classUnknown
}

// qosReasons and assocReasons are the words for a limit on a kind of resource,
// reached by a QOS or an association.
var qosReasons = [tresLimits][classes]slurm.Reason{
	grpTRES: {slurm.ReasonQOSGrpCpuLimit, slurm.ReasonQOSGrpMemLimit, slurm.ReasonQOSGrpEnergy, slurm.ReasonQOSGrpNodeLimit,
		slurm.ReasonQOSGrpBilling, slurm.ReasonQOSGrpGRES, slurm.ReasonQOSGrpLicense, slurm.ReasonQOSGrpBB, slurm.ReasonQOSGrpUnknown},
	grpMins: {slurm.ReasonQOSGrpCPUMinutesLimit, slurm.ReasonQOSGrpMemoryMinutes, slurm.ReasonQOSGrpEnergyMinutes, slurm.ReasonQOSGrpNodeMinutes,
		slurm.ReasonQOSGrpBillingMinutes, slurm.ReasonQOSGrpGRESMinutes, slurm.ReasonQOSGrpLicenseMinutes, slurm.ReasonQOSGrpBBMinutes,
		slurm.ReasonQOSGrpUnknownMinutes},
	grpRunMins: {slurm.ReasonQOSGrpCPURunMinutesLimit, slurm.ReasonQOSGrpMemoryRunMinutes, slurm.ReasonQOSGrpEnergyRunMinutes,
		slurm.ReasonQOSGrpNodeRunMinutes, slurm.ReasonQOSGrpBillingRunMinutes, slurm.ReasonQOSGrpGRESRunMinutes,
		slurm.ReasonQOSGrpLicenseRunMinutes, slurm.ReasonQOSGrpBBRunMinutes, slurm.ReasonQOSGrpUnknownRunMinutes},
	jobTRES: {slurm.ReasonQOSMaxCpuPerJobLimit, slurm.ReasonQOSMaxMemoryPerJob, slurm.ReasonQOSMaxEnergyPerJob, slurm.ReasonQOSMaxNodePerJobLimit,
		slurm.ReasonQOSMaxBillingPerJob, slurm.ReasonQOSMaxGRESPerJob, slurm.ReasonQOSMaxLicensePerJob, slurm.ReasonQOSMaxBBPerJob,
		slurm.ReasonQOSMaxUnknownPerJob},
	nodeTRES: {slurm.ReasonQOSMaxCpuPerNode, slurm.ReasonQOSMaxMemoryPerNode, slurm.ReasonQOSMaxEnergyPerNode, slurm.ReasonQOSMaxUnknownPerNode,
		slurm.ReasonQOSMaxBillingPerNode, slurm.ReasonQOSMaxGRESPerNode, slurm.ReasonQOSMaxUnknownPerNode, slurm.ReasonQOSMaxBBPerNode,
		slurm.ReasonQOSMaxUnknownPerNode},
	jobMins: {slurm.ReasonQOSMaxCpuMinutesPerJobLimit, slurm.ReasonQOSMaxMemoryMinutesPerJob, slurm.ReasonQOSMaxEnergyMinutesPerJob,
		slurm.ReasonQOSMaxNodeMinutesPerJob, slurm.ReasonQOSMaxBillingMinutesPerJob, slurm.ReasonQOSMaxGRESMinutesPerJob,
		slurm.ReasonQOSMaxLicenseMinutesPerJob, slurm.ReasonQOSMaxUnknownMinutesPerJob, slurm.ReasonQOSMaxUnknownMinutesPerJob},
	jobMin: {slurm.ReasonQOSMinCpuNotSatisfied, slurm.ReasonQOSMinMemory, slurm.ReasonQOSMinEnergy, slurm.ReasonQOSMinNode,
		slurm.ReasonQOSMinBilling, slurm.ReasonQOSMinGRES, slurm.ReasonQOSMinLicense, slurm.ReasonQOSMinBB, slurm.ReasonQOSMinUnknown},
	userTRES: {slurm.ReasonQOSMaxCpuPerUserLimit, slurm.ReasonQOSMaxMemoryPerUser, slurm.ReasonQOSMaxEnergyPerUser, slurm.ReasonQOSMaxNodePerUserLimit,
		slurm.ReasonQOSMaxBillingPerUser, slurm.ReasonQOSMaxGRESPerUser, slurm.ReasonQOSMaxLicensePerUser, slurm.ReasonQOSMaxBBPerUser,
		slurm.ReasonQOSMaxUnknownPerUser},
	userRunMins: {slurm.ReasonMaxCpuRunMinsPerUser, slurm.ReasonMaxMemoryRunMinsPerUser, slurm.ReasonMaxEnergyRunMinsPerUser,
		slurm.ReasonMaxNodeRunMinsPerUser, slurm.ReasonMaxBillingRunMinsPerUser, slurm.ReasonMaxGRESRunMinsPerUser,
		slurm.ReasonMaxLicenseRunMinsPerUser, slurm.ReasonMaxBBRunMinsPerUser, slurm.ReasonMaxUnknownRunMinsPerUser},
	acctTRES: {slurm.ReasonMaxCpuPerAccount, slurm.ReasonMaxMemoryPerAccount, slurm.ReasonMaxEnergyPerAccount, slurm.ReasonMaxNodePerAccount,
		slurm.ReasonMaxBillingPerAccount, slurm.ReasonMaxGRESPerAccount, slurm.ReasonMaxLicensePerAccount, slurm.ReasonMaxBBPerAccount,
		slurm.ReasonMaxUnknownPerAccount},
	acctRunMins: {slurm.ReasonMaxCpuRunMinsPerAccount, slurm.ReasonMaxMemoryRunMinsPerAccount, slurm.ReasonMaxEnergyRunMinsPerAccount,
		slurm.ReasonMaxNodeRunMinsPerAccount, slurm.ReasonMaxBillingRunMinsPerAccount, slurm.ReasonMaxGRESRunMinsPerAccount,
		slurm.ReasonMaxLicenseRunMinsPerAccount, slurm.ReasonMaxBBRunMinsPerAccount, slurm.ReasonMaxUnknownRunMinsPerAccount},
}

var assocReasons = [tresLimits][classes]slurm.Reason{
	grpTRES: {slurm.ReasonAssocGrpCpuLimit, slurm.ReasonAssocGrpMemLimit, slurm.ReasonAssocGrpEnergy, slurm.ReasonAssocGrpNodeLimit,
		slurm.ReasonAssocGrpBilling, slurm.ReasonAssocGrpGRES, slurm.ReasonAssocGrpLicense, slurm.ReasonAssocGrpBB, slurm.ReasonAssocGrpUnknown},
	grpMins: {slurm.ReasonAssocGrpCPUMinutesLimit, slurm.ReasonAssocGrpMemMinutes, slurm.ReasonAssocGrpEnergyMinutes, slurm.ReasonAssocGrpNodeMinutes,
		slurm.ReasonAssocGrpBillingMinutes, slurm.ReasonAssocGrpGRESMinutes, slurm.ReasonAssocGrpLicenseMinutes, slurm.ReasonAssocGrpBBMinutes,
		slurm.ReasonAssocGrpUnknownMinutes},
	grpRunMins: {slurm.ReasonAssocGrpCPURunMinutesLimit, slurm.ReasonAssocGrpMemRunMinutes, slurm.ReasonAssocGrpEnergyRunMinutes,
		slurm.ReasonAssocGrpNodeRunMinutes, slurm.ReasonAssocGrpBillingRunMinutes, slurm.ReasonAssocGrpGRESRunMinutes,
		slurm.ReasonAssocGrpLicenseRunMinutes, slurm.ReasonAssocGrpBBRunMinutes, slurm.ReasonAssocGrpUnknownRunMinutes},
	jobTRES: {slurm.ReasonAssocMaxCpuPerJobLimit, slurm.ReasonAssocMaxMemPerJob, slurm.ReasonAssocMaxEnergyPerJob, slurm.ReasonAssocMaxNodePerJobLimit,
		slurm.ReasonAssocMaxBillingPerJob, slurm.ReasonAssocMaxGRESPerJob, slurm.ReasonAssocMaxLicensePerJob, slurm.ReasonAssocMaxBBPerJob,
		slurm.ReasonAssocMaxUnknownPerJob},
	nodeTRES: {slurm.ReasonAssocMaxCpuPerNode, slurm.ReasonAssocMaxMemPerNode, slurm.ReasonAssocMaxEnergyPerNode, slurm.ReasonAssocMaxUnknownPerNode,
		slurm.ReasonAssocMaxBillingPerNode, slurm.ReasonAssocMaxGRESPerNode, slurm.ReasonAssocMaxUnknownPerNode, slurm.ReasonAssocMaxBBPerNode,
		slurm.ReasonAssocMaxUnknownPerNode},
	jobMins: {slurm.ReasonAssocMaxCpuMinutesPerJobLimit, slurm.ReasonAssocMaxMemMinutesPerJob, slurm.ReasonAssocMaxEnergyMinutesPerJob,
		slurm.ReasonAssocMaxNodeMinutesPerJob, slurm.ReasonAssocMaxBillingMinutesPerJob, slurm.ReasonAssocMaxGRESMinutesPerJob,
		slurm.ReasonAssocMaxLicenseMinutesPerJob, slurm.ReasonAssocMaxBBMinutesPerJob, slurm.ReasonAssocMaxUnknownMinutesPerJob},
}

// qosNums and assocNums are the words for a limit that is one number.
var (
	qosNums = [numLimits]slurm.Reason{
		grpJobs: slurm.ReasonQOSGrpJobsLimit, grpSubmit: slurm.ReasonQOSGrpSubmitJobsLimit, grpWall: slurm.ReasonQOSGrpWallLimit,
		maxWall: slurm.ReasonQOSMaxWallDurationPerJobLimit, userJobs: slurm.ReasonQOSMaxJobsPerUserLimit,
		userSubmit: slurm.ReasonQOSMaxSubmitJobPerUserLimit, acctJobs: slurm.ReasonMaxJobsPerAccount, acctSubmit: slurm.ReasonMaxSubmitJobsPerAccount,
	}
	assocNums = [numLimits]slurm.Reason{
		grpJobs: slurm.ReasonAssocGrpJobsLimit, grpSubmit: slurm.ReasonAssocGrpSubmitJobsLimit, grpWall: slurm.ReasonAssocGrpWallLimit,
		maxWall: slurm.ReasonAssocMaxWallDurationPerJobLimit, userJobs: slurm.ReasonAssocMaxJobsLimit, userSubmit: slurm.ReasonAssocMaxSubmitJobLimit,
	}
)
