# topic: limits
# as: root
# limit: 170
# DenyOnLimit of a QOS: every limit refused at submission, and updates; partition QOS.
. "$CT_LIB"
cleanup() { scancel -q dq; sleep 1; scontrol update partitionname=short qos=; sacctmgr -i modify user alice,bob set qos-=dq; sacctmgr -i modify user alice,bob set qos=; sacctmgr -i delete qos dq,pq; }
sacctmgr -i add qos dq flags=DenyOnLimit >/dev/null; sacctmgr -i modify user alice,bob set qos+=dq >/dev/null
set_() { sacctmgr -i modify qos dq set "$@" >/dev/null; sleep 1; }
deny() { try as_user alice sbatch --qos=dq -t 5 -o /dev/null "$@" --wrap 'sleep 60'; }
set_ MaxTRES=cpu=2; deny -n 3; deny -n 2 -H
set_ MaxTRES=cpu=-1,node=1; deny -N 2
set_ MaxTRES=node=-1,mem=500; deny --mem=600
set_ MaxTRES=mem=-1,gres/gpu=1; deny --gres=gpu:2
set_ MaxTRES=gres/gpu=-1 MaxWall=3; deny
set_ MaxWall=-1 GrpTRES=cpu=2; deny -n 3
set_ GrpTRES=cpu=-1,mem=500; deny --mem=600
set_ GrpTRES=mem=-1 MaxTRESPU=cpu=2; deny -n 3
set_ MaxTRESPU=cpu=-1 MaxTRESMins=cpu=9; deny -n 2
set_ MaxTRESMins=cpu=-1 MinTRES=cpu=2; deny -n 1
set_ MinTRES=cpu=-1 GrpWall=3; deny
set_ GrpWall=-1 GrpTRESMins=cpu=4; deny -n 2
set_ GrpTRESMins=cpu=-1 MaxTRESPerNode=cpu=1; deny -n 2 -N 1
set_ MaxTRESPerNode=cpu=-1 MaxSubmitJobsPU=0; deny
set_ MaxSubmitJobsPU=-1 MaxTRES=cpu=4
submit_as alice --qos=dq -H -t 5 -n 2 -o /dev/null --wrap true; A=$J
try as_user alice scontrol update jobid=$A numcpus=6
try as_user alice scontrol update jobid=$A qos=normal
try as_user alice scontrol update jobid=$A qos=dq
try as_user alice scontrol update jobid=$A qos=nosuch
try as_user alice scontrol update jobid=$A account=nosuch
try as_user alice scontrol update jobid=$A account=chem
squeue -h -j $A -o '%q %a'; scancel $A
sacctmgr -i add qos pq maxtres=cpu=2 maxwall=20 maxjobspu=1 >/dev/null; scontrol update partitionname=short qos=pq; sleep 1
submit_as alice -p short -n 3 -t 5 -o /dev/null --wrap true; wait_reason $J QOSMaxCpuPerJobLimit; squeue -h -j $J -o '%T %r'; scancel $J
submit_as alice -p short -t 30 -o /dev/null --wrap true; wait_reason $J QOSMaxWallDurationPerJobLimit; squeue -h -j $J -o '%T %r'; scancel $J
submit_as alice -p short -t 5 -o /dev/null --wrap 'sleep 60'; A=$J; wait_state $A RUNNING; submit_as alice -p short -t 5 -o /dev/null --wrap 'sleep 60'; B=$J; wait_reason $B QOSMaxJobsPerUserLimit; squeue -h -j $B -o '%T %r'; scancel $A; wait_state $B RUNNING; scancel $B
sacctmgr -i modify qos pq set flags=DenyOnLimit >/dev/null; sleep 1
try as_user alice sbatch -p short -n 3 -t 5 -o /dev/null --wrap true
try as_user alice sbatch -p short -n 2 -t 30 -o /dev/null --wrap true
scontrol show partition short | grep -o 'QoS=[^ ]*'
