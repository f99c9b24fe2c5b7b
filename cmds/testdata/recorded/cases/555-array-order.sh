# limit: 100
# The order in which the tasks of one array are listed.
. "$CT_LIB"
tasks() { scontrol show job $1 | grep -oE 'ArrayTaskId=\S+' | paste -sd' '; }
submit -a 1-5 -o /dev/null --wrap true; wait_done $J; tasks $J; scontrol -o show job $J | grep -oE 'ArrayTaskId=[0-9]+' | paste -sd' '
squeue -h -t all -j $J -o %K | paste -sd' '
submit -a 1-4 -o /dev/null --wrap 'sleep 30'; wait_state ${J}_4 RUNNING; tasks $J; squeue -h -j $J -o %i | normalise; squeue -h -r -j $J -o %i | normalise
scancel ${J}_2; wait_done ${J}_2; tasks $J; scancel $J
submit -a 1-6%2 -o /dev/null --wrap 'sleep 30'; wait_state ${J}_2 RUNNING; tasks $J; squeue -h -j $J -o %i | normalise; scancel $J
submit -H -a 1-6 -o /dev/null --wrap 'sleep 30'; scontrol release ${J}_5; wait_state ${J}_5 RUNNING; scontrol release ${J}_2; wait_state ${J}_2 RUNNING; tasks $J; squeue -h -j $J -o '%i %T' | normalise; scontrol update jobid=${J}_4 comment=x; tasks $J; squeue -h -j $J -o '%i %T' | normalise
