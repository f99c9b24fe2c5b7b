# topic: scontrol
# Jobs that have ended and are requeued: exit codes, what the accounts say, tasks and steps that are none, limits that are taken down.
# limit: 60
. "$CT_LIB"
submit -H -o /dev/null --wrap true; A=$J; submit -o /dev/null --wrap true; B=$J; submit -a 1-2 -o /dev/null --wrap true; C=$J; submit -o /dev/null --wrap 'sleep 30'; R=$J; wait_done $B $C; wait_state $R RUNNING
for c in hold requeue requeuehold top; do for j in ${A}_1 ${A}.0 ${B}_1 ${A}_[1-2] $R.batch ${C}_7 ${A}+1 650000_1; do try scontrol $c $j; done; done
for j in ${A}_1 $A.0; do try scontrol update jobid=$j comment=x; scontrol show job $j 2>&1 | head -1; done | normalise
for j in $A $B $C $R; do try scontrol requeue Incomplete $j; done; squeue -h -t all -j $B,$C,$A -S i -o %T; try scontrol requeue incomplete 650000
ex() { scontrol show job $1 | grep -oE '(JobState|ExitCode|Restarts|Reason)=\S*' | paste -sd' '; }
acct() { sacct -n -P -D -j $1 -o jobid,state,exitcode | grep -v PENDING | normalise; }
submit -o /dev/null --wrap 'sleep 30'; R=$J; submit -o /dev/null --wrap 'srun true; srun false; exit 2'; S=$J; submit -H -o /dev/null --wrap 'sleep 30'; H=$J; submit -o /dev/null --wrap 'exit 3'; D=$J
wait_done $D $S; wait_state $R RUNNING; scancel $H; wait_done $H; wait_acct $S FAILED; wait_acct $D FAILED; for j in $R $S $H; do try scontrol requeue $j; done; try scontrol requeuehold $D; wait_reason $R BeginTime; wait_reason $S BeginTime; poll 10 bash -c "sacct -n -X -D -j $D -o State | grep -q REQ"; poll 10 bash -c "sacct -n -X -D -j $H -o State | grep -q REQ"
for j in $R $S $H $D; do ex $j; acct $j; done; sacct -n -X -P -D -s F -j $S,$D -o state; sacct -n -X -P -D -s RQ -j $S,$D -o state
scancel $S $D; sleep 0.3; for j in $S $D; do ex $j; done
submit -H -t 5 --wrap true; A=$J; t() { echo "$1: $(scontrol update jobid=$A timelimit=$1 2>&1) $? $(squeue -h -j $A -o %l)"; }; for x in +2 -4 -20 5 +0 -0 0:30 +1:30 -1:30 1-0 +1-0 -1-0 -1 +x -x 1:2:3:4 5m; do t $x; done
submit -t 50 --wrap 'sleep 20'; A=$J; wait_state $A RUNNING; for x in -4 -2:00 -1:00:00 -60 30 +1 0:30 5-0; do t $x; done | normalise
