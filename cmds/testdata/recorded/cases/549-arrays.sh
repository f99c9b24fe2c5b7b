# topic: squeue
# Arrays: mixed states, tasks that ended, -r with sorting and filters, names of tasks.
. "$CT_LIB"
submit --array=1-4 -J mix -t 5 -o /dev/null --wrap '[ $SLURM_ARRAY_TASK_ID = 1 ] || sleep 30'; A=$J; wait_done ${A}_1; wait_state ${A}_4 RUNNING
squeue -h -t all -j $A -S i -o '%i %A %F %K %t' | sed -E 's/ 7[0-9]{5} / ID /' | normalise
squeue -h -j $A -S -i -o '%i %t' | normalise; squeue -h -r -j $A -S -i -o '%i' | normalise; squeue -h -j ${A}_1 -o '%i'; squeue -h -t CD -j $A -o %i | normalise
squeue -h -r -t R -j $A -S j,-i -o %i | normalise; squeue -h -j $A -O arrayjobid:10,arraytaskid:6,jobarrayid:14,statecompact:4 -S i | normalise
scontrol show job ${A}_2 | head -1 | sed -E 's/JobId=[0-9]+/JobId=X/' | normalise; scontrol show job $A | grep -c ArrayTaskId; scontrol -o show job ${A}_3 | grep -oE 'ArrayTaskId=\S+|JobState=\S+' ;
scancel ${A}_2; wait_done ${A}_2; squeue -h -t all -j $A -S i -o '%i %t' | normalise; scancel -t RUNNING $A; wait_done $A; squeue -h -t all -j $A -S i -o '%i %t' | normalise
submit -H --array=1-5 -J pend --wrap true; B=$J; squeue -h -r -j $B -S -K -o %K | paste -sd' '; squeue -h -r -S -i -j $B -o %i | normalise | paste -sd' '; squeue -h -r -j $B -o %i | normalise | paste -sd' '; squeue -h -j ${B}_3,${B}_5 -o %i | normalise; scontrol update jobid=${B}_3 name=third; squeue -h -j $B -S i -o '%i %j' | normalise; scontrol update jobid=$B timelimit=7; squeue -h -j $B -S i -o '%i %j %l' | normalise; scontrol show job $B | grep -c JobId; squeue -h -n pend -o %i | normalise; squeue -h -n third -o %i | normalise; scancel ${B}_[4-5]; sleep 0.5; squeue -h -j $B -S i -o '%i' | normalise; scancel -n third; sleep 0.5; squeue -h -t all -j $B -S i -o '%i %t' | normalise
squeue -h -j $B -s; squeue --start -h -j $B | normalise; squeue -h -j $B -o '%C %D %m %Q'; squeue -h --array-unique -j $B -o %i | normalise
