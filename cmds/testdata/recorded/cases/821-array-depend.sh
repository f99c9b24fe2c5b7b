# topic: array
# limit: 60
# Arrays that wait for arrays, in whole and task by task, and the turn that the tasks of one array have by singleton.
. "$CT_LIB"
q() { local j; for j; do squeue -h -t all -j $j -S i -o '%i %T %r %E'; done | normalise; }
submit -J sing -o /dev/null --wrap 'sleep 2'; Z=$J; wait_state $Z RUNNING
submit -a 1-3 -d singleton -J sing -o /dev/null --wrap 'sleep 2'; A=$J; submit -d singleton -J sing -o /dev/null --wrap true; B=$J; wait_reason $A Dependency; wait_reason $B Dependency; q $A $B
wait_state ${A}_3 RUNNING; q $A $B; wait_done $A $B; q $A $B
submit -H -a 1-3 -J A --wrap '[ $SLURM_ARRAY_TASK_ID != 2 ]' -o /dev/null; A=$J
for d in aftercorr:$A afterok:$A afterany:$A afternotok:$A afterok:${A}_1 afterok:${A}_1:${A}_3 afterany:${A}_2 aftercorr:$A; do submit -d $d -o /dev/null --wrap true; eval "D$((n = ${n:-0} + 1))=$J"; done
submit -a 1-3 -d aftercorr:$A -J B -o /dev/null --wrap true; B=$J; submit -a 3-5 -d aftercorr:$A -J C -o /dev/null --wrap true; C=$J
wait_reason $B Dependency; wait_reason $C Dependency; q $D1 $D2 $D3 $D4 $D5 $D6 $D7 $D8 $B $C
scontrol release $A; wait_done $A $D3 ${B}_1 ${B}_3 ${C}_3; wait_reason $D2 DependencyNeverSatisfied; wait_reason ${B}_2 DependencyNeverSatisfied; wait_done $D4 $D5 $D6 $D7; q $D1 $D2 $D3 $D4 $D5 $D6 $D7 $D8 $B $C; field ${B}_2 Dependency Reason JobState
submit -H -a 1-3 -o /dev/null --wrap true; A=$J; scancel ${A}_2; submit -d afterok:$A -o /dev/null --wrap true; B=$J; submit -d afternotok:$A -o /dev/null --wrap true; C=$J; submit -d afterany:$A -o /dev/null --wrap true; D=$J
wait_reason $B Dependency; scontrol release $A; wait_done $A $C $D; wait_reason $B DependencyNeverSatisfied; q $A $B $C $D
for a in 1-10:3,20-30:5 1-3,10-20:4 2,4,6 5 1-3:5 0-100:25 1,1-2 '4-8:2%1'; do submit -a "$a" -o 'o.%a' --wrap 'echo $SLURM_ARRAY_TASK_STEP $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX'; wait_done $J; echo "$a: $(sort -u o.*)"; rm -f o.*; done
