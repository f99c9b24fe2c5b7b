# topic: array
# limit: 60
# Forms of arrays, their limits, and tasks held, released and changed one by one.
. "$CT_LIB"
a() { for o; do out=$(sbatch --parsable -H -a "$o" --wrap true 2>&1); rc=$?; echo "+ $o" | normalise; if [ $rc = 0 ]; then squeue -h -j $out -o '%i|%K|%F' | sed -E 's/7[0-9]{5}/J/g'; field $out ArrayTaskId ArrayTaskThrottle | paste -sd' '; scancel -Q $out; else echo "$out" | normalise; echo rc=$rc; fi; done; }
a 0 7 1-3 1,2,3 3,2,1 1,1,1 1-3,2-5 5-5 0-9:3 0-9:100 1-2:0 1-2:x 1-5:-1 1-5:2%2 1-5%2 1-5%0 1-5%9 1-5%x 1-5% 1-5%-1 1-5%2%3 1-3%2,5 1,5%1 ' 1-3' '1-3 ' '1 -3' '1, 3' 1,,3 ,1 1, 1- -3 '' 1-x 1--3 1-3- 1.5 0x3 010 1-0010 200000 200001 0-200000 0-200001 199999-200000 1:2 1-10:3,20-30:5 0-31:4%3 '[1-3]' '[1-3,5]' '[1-3]%2' '1-3,[5-6]' 1_3 1+3 99999999999 4294967295 -1-3 1-3,1-3 0,2,4,6,8 0-8:2 1,3-5:2,9
try sbatch -H -a 1-3 -n1 : -n1 --wrap true
try sbatch -H --array --wrap true
SBATCH_ARRAY_INX=2-4 submit -H --wrap true; squeue -h -j $J -o '%i' | normalise
SBATCH_ARRAY_INX=2-4 submit -H -a 9 --wrap true; squeue -h -j $J -o '%i' | normalise
submit -a 1-6%2 -o /dev/null --wrap 'sleep 30'; A=$J; wait_state ${A}_2 RUNNING; sleep 0.5; squeue -h -j $A -S i -o '%i %T %r' | normalise; field $A ArrayTaskThrottle; try scontrol update jobid=$A arraytaskthrottle=3; wait_state ${A}_3 RUNNING; squeue -h -j $A -S i -o '%i %T %r' | normalise; try scontrol update jobid=${A} arraytaskthrottle=0; wait_state ${A}_6 RUNNING; squeue -h -j $A -S i -o '%i %T %r' | normalise; try scontrol update jobid=${A}_1 arraytaskthrottle=1; try scontrol update jobid=$A arraytaskthrottle=x; scancel $A; wait_done $A
submit -H -a 1-5 -J hold -o 'o.%A_%a.%j' --wrap 'echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_JOB_ID $SLURM_JOBID'; A=$J
try scontrol release ${A}_[2-3]; wait_done ${A}_2 ${A}_3; squeue -h -j $A -t all -S i -o '%i %T %r' | normalise
try scontrol release ${A}_1,${A}_4; wait_done ${A}_1 ${A}_4; ls o.* | normalise | sed -E 's/J[0-9X]+$/J/'; cat o.*_1.* | normalise | sed -E 's/ (J[0-9X]+) J[0-9X]+$/ J J/'
try scontrol hold ${A}_5; try scontrol release ${A}_9; try scontrol hold ${A}_[1-9]; try scontrol update jobid=${A}_5 name=five; squeue -h -j $A -o '%i %j' | normalise
try scontrol requeue ${A}_5; try scontrol requeue ${A}_1; wait_state ${A}_1 COMPLETED,PENDING; try scontrol suspend ${A}_5
try scontrol update jobid=$A timelimit=5; try scontrol update jobid=${A}_[1,5] timelimit=6; squeue -h -j $A -o '%i %l' | normalise
scancel $A; wait_done $A
submit -a 1-2 --wrap 'echo hi'; wait_done $J; ls slurm-* | normalise
submit -a 1-2 -o '%5a_%A.out' -e '%x.%03a.err' -J nm --wrap 'echo o; echo e >&2'; wait_done $J; ls *_*.out nm* | sed -E 's/7[0-9]{5}/ID/'
