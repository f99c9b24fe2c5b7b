# topic: limits
# as: root
# limit: 170
# Group limits of an account: jobs, submit, nodes, memory, gpus, minutes; changed while jobs wait.
. "$CT_LIB"
cleanup() { scancel -A glim; sleep 1; sacctmgr -i delete user alice account=glim; sacctmgr -i delete user bob account=glim; sacctmgr -i delete account glim; }
{ sacctmgr -i add account glim; sacctmgr -i add user alice,bob account=glim; } >/dev/null
set_() { sacctmgr -i modify account glim set "$@" >/dev/null; sleep 1; }
sub() { local u=$1; shift; submit_as $u -A glim -o /dev/null -t 5 "$@" --wrap 'sleep 60'; }
set_ GrpJobs=1
sub alice; A=$J; wait_state $A RUNNING; sub bob; B=$J; wait_reason $B AssocGrpJobsLimit; squeue -h -j $B -o '%T %r'
set_ GrpJobs=2; wait_state $B RUNNING; scancel $A $B; wait_done $A $B
set_ GrpJobs=-1 GrpSubmit=2
sub alice; A=$J; sub bob; B=$J; try as_user alice sbatch -A glim --wrap true; scancel $A $B; wait_done $A $B
set_ GrpSubmit=-1 GrpTRES=node=1
sub alice -N1; A=$J; wait_state $A RUNNING; sub bob -N 2; B=$J; wait_reason $B AssocGrpNodeLimit; squeue -h -j $B -o '%T %r'; scancel $A $B; wait_done $A $B
set_ GrpTRES=node=-1,mem=1000
sub alice --mem=800; A=$J; wait_state $A RUNNING; sub bob --mem=300; B=$J; wait_reason $B AssocGrpMemLimit; squeue -h -j $B -o '%T %r'; scancel $A $B; wait_done $A $B
set_ GrpTRES=mem=-1,gres/gpu=1
sub alice --gres=gpu:1; A=$J; wait_state $A RUNNING; sub bob --gres=gpu:1; B=$J; wait_reason $B AssocGrpGRES; squeue -h -j $B -o '%T %r'; scancel $A $B; wait_done $A $B
set_ GrpTRES=gres/gpu=-1 GrpTRESRunMins=cpu=12
sub alice -n 2; A=$J; wait_state $A RUNNING; sub bob -n 2; B=$J; wait_reason $B AssocGrpCPURunMinutesLimit; squeue -h -j $B -o '%T %r'; scancel $A $B; wait_done $A $B
set_ GrpTRESRunMins=cpu=-1 GrpTRESMins=cpu=4
sub alice -n 2; A=$J; wait_reason $A AssocGrpCPUMinutesLimit; squeue -h -j $A -o '%T %r'; scancel $A
set_ GrpTRESMins=cpu=-1 GrpWall=3
sub alice; A=$J; wait_reason $A AssocGrpWallLimit; squeue -h -j $A -o '%T %r'; scancel $A
set_ GrpWall=-1 GrpTRES=license/matlab=1
sub alice -L matlab; A=$J; wait_state $A RUNNING; sub bob -L matlab; B=$J; wait_reason $B AssocGrpLicense,AssocGrpUnknown; squeue -h -j $B -o '%T %r'
set_ GrpTRES=license/matlab=-1; wait_state $B RUNNING; scancel $A $B; wait_done $A $B
