# topic: limits
# as: root
# limit: 170
# Limits of a user's association: jobs, submit, time, tres a job and a node, minutes.
. "$CT_LIB"
cleanup() { scancel -A ulim; sleep 1; sacctmgr -i delete user alice account=ulim; sacctmgr -i delete account ulim; }
{ sacctmgr -i add account ulim; sacctmgr -i add user alice account=ulim; } >/dev/null
set_() { sacctmgr -i modify user alice account=ulim set "$@" >/dev/null; sleep 1; }
sub() { submit_as alice -A ulim -o /dev/null -t 5 "$@" --wrap 'sleep 60'; }
set_ MaxJobs=1
sub; A=$J; wait_state $A RUNNING; sub; B=$J; wait_reason $B AssocMaxJobsLimit; squeue -h -j $B -o '%T %r'; set_ MaxJobs=-1; wait_state $B RUNNING; scancel $A $B; wait_done $A $B
set_ MaxSubmit=1
sub; A=$J; try as_user alice sbatch -A ulim --wrap true; try as_user alice srun -A ulim true; try as_user alice salloc -A ulim true; try as_user alice sbatch -A ulim --array=1-3 --wrap true; scancel $A; wait_done $A
try as_user alice sbatch -A ulim --array=1-3 --wrap true
set_ MaxSubmit=-1 MaxWall=4
sub; A=$J; wait_reason $A AssocMaxWallDurationPerJobLimit; squeue -h -j $A -o '%T %r'; try as_user alice scontrol update jobid=$A timelimit=3; wait_state $A RUNNING; scancel $A; wait_done $A
submit_as alice -A ulim -o /dev/null -H --wrap true; squeue -h -j $J -o %l; scancel $J
set_ MaxWall=-1 MaxTRES=cpu=2
sub -n 3; A=$J; wait_reason $A AssocMaxCpuPerJobLimit; squeue -h -j $A -o '%T %r'; scancel $A
set_ MaxTRES=cpu=-1,node=1
sub -N 2; A=$J; wait_reason $A AssocMaxNodePerJobLimit; squeue -h -j $A -o '%T %r'; scancel $A
set_ MaxTRES=node=-1,mem=500
sub --mem=600; A=$J; wait_reason $A AssocMaxMemPerJob; squeue -h -j $A -o '%T %r'; scancel $A
set_ MaxTRES=mem=-1,gres/gpu=1
sub --gres=gpu:2; A=$J; wait_reason $A AssocMaxGRESPerJob; squeue -h -j $A -o '%T %r'; scancel $A
set_ MaxTRES=gres/gpu=-1 MaxTRESMins=cpu=9
sub -n 2; A=$J; wait_reason $A AssocMaxCpuMinutesPerJobLimit; squeue -h -j $A -o '%T %r'; scancel $A
set_ MaxTRESMins=cpu=-1 MaxTRESPerNode=cpu=1
sub -n 2 -N 1; A=$J; wait_reason $A AssocMaxCpuPerNode,MaxCpuPerNode; squeue -h -j $A -o '%T %r'; scancel $A
set_ MaxTRESPerNode=cpu=-1
sub -n 2; A=$J; wait_state $A RUNNING; scancel $A
try as_user alice sbatch -A nosuch --wrap true
try as_user bob sbatch -A ulim --wrap true
try as_user alice srun -A nosuch true
try as_user alice sbatch --qos=nosuch --wrap true
try as_user alice srun --qos=nosuch true
sacctmgr -i modify user alice account=ulim set qos=low >/dev/null
try as_user alice sbatch -A ulim --qos=high --wrap true
sub; A=$J; squeue -h -a -t all -j $A -o %q; scancel $A
