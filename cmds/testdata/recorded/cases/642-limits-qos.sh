# topic: limits
# as: root
# limit: 170
# Limits of a QOS, for all, a user, an account and a job.
. "$CT_LIB"
cleanup() { scancel -q lq; sleep 1; sacctmgr -i modify user alice,bob set qos-=lq; sacctmgr -i modify user alice,bob set qos=; sacctmgr -i delete qos lq; }
sacctmgr -i add qos lq >/dev/null; sacctmgr -i modify user alice,bob set qos+=lq >/dev/null
set_() { sacctmgr -i modify qos lq set "$@" >/dev/null; sleep 1; }
sub() { local u=$1; shift; submit_as $u --qos=lq -o /dev/null -t 5 "$@" --wrap 'sleep 60'; }
pair() { local want=$1 one=$2 two=$3; shift 3; sub ${one} "$@"; A=$J; wait_state $A RUNNING; sub ${two} "$@"; B=$J; wait_reason $B $want; squeue -h -j $B -o '%T %r'; scancel $A $B; wait_done $A $B; }
set_ GrpJobs=1; pair QOSGrpJobsLimit alice bob
set_ GrpJobs=-1 GrpTRES=cpu=3; pair QOSGrpCpuLimit alice bob -n 2
set_ GrpTRES=cpu=-1,node=1; pair QOSGrpNodeLimit alice bob -N 1 --exclusive
set_ GrpTRES=node=-1,mem=1G; pair QOSGrpMemLimit alice bob --mem=600
set_ GrpTRES=mem=-1,gres/gpu=2; pair QOSGrpGRES alice bob --gres=gpu:2
set_ GrpTRES=gres/gpu=-1 MaxJobsPU=1; pair QOSMaxJobsPerUserLimit alice alice
set_ MaxJobsPU=-1 MaxJobsPA=1; pair MaxJobsPerAccount alice alice
set_ MaxJobsPA=-1 MaxTRESPU=cpu=3; pair QOSMaxCpuPerUserLimit alice alice -n 2
set_ MaxTRESPU=cpu=-1,mem=1000; pair QOSMaxMemoryPerUser alice alice --mem=600
set_ MaxTRESPU=mem=-1,node=1; pair QOSMaxNodePerUserLimit alice alice --exclusive
set_ MaxTRESPU=node=-1,gres/gpu=1; pair QOSMaxGRESPerUser alice alice --gres=gpu:1
set_ MaxTRESPU=gres/gpu=-1 MaxTRESPA=cpu=3; pair MaxCpuPerAccount alice alice -n 2
set_ MaxTRESPA=cpu=-1 MaxSubmitJobsPU=1
sub alice; A=$J; try as_user alice sbatch --qos=lq --wrap true; scancel $A; wait_done $A
set_ MaxSubmitJobsPU=-1 MaxSubmitJobsPA=1
sub alice; A=$J; try as_user alice sbatch --qos=lq --wrap true; scancel $A; wait_done $A
set_ MaxSubmitJobsPA=-1 GrpSubmit=1
sub alice; A=$J; try as_user bob sbatch --qos=lq --wrap true; scancel $A; wait_done $A
single() { local want=$1; shift; sub alice "$@"; A=$J; wait_reason $A $want; squeue -h -j $A -o '%T %r'; scancel $A; }
set_ GrpSubmit=-1 MaxWall=3; single QOSMaxWallDurationPerJobLimit
set_ MaxWall=-1 MaxTRES=cpu=2; single QOSMaxCpuPerJobLimit -n 3
set_ MaxTRES=cpu=-1,node=1; single QOSMaxNodePerJobLimit -N 2
set_ MaxTRES=node=-1,mem=500; single QOSMaxMemoryPerJob --mem=600
set_ MaxTRES=mem=-1 MinTRES=cpu=2; single QOSMinCpuNotSatisfied -n 1
set_ MinTRES=cpu=-1 GrpTRESMins=cpu=4; single QOSGrpCPUMinutesLimit -n 2
set_ GrpTRESMins=cpu=-1 GrpWall=3; single QOSGrpWallLimit
set_ GrpWall=-1 MaxTRESMins=cpu=9; single QOSMaxCpuMinutesPerJobLimit -n 2
set_ MaxTRESMins=cpu=-1 GrpTRESRunMins=cpu=6; single QOSGrpCPURunMinutesLimit -n 2
set_ GrpTRESRunMins=cpu=-1 MaxTRESPerNode=cpu=1; single QOSMaxCpuPerNode -n 2 -N 1
set_ MaxTRESPerNode=cpu=-1; sub alice; wait_state $J RUNNING; scancel $J
