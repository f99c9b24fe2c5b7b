# topic: env
# limit: 120
# What salloc gives its command, and srun by itself its tasks.
. "$CT_LIB"
own='PACK_|^SLURM_(PACK_SIZE|JOB_SEGMENT|OOM|TOPOLOGY|WORKING_CLUSTER|NODE_ALIASES|CONF=|SUBMIT_HOST|JOB_START_TIME|JOB_END_TIME|TASK_PID|JOB_SLUID|SCRIPT_CONTEXT|SRUN_COMM|STEP_LAUNCHER|LAUNCH_NODE|OOM_KILL)|^SLURM_JOB_USER=|^SLURM_JOB_[UG]ID='
pick() { grep -E '^(SLURM|SALLOC|SRUN|CUDA_VISIBLE|GPU_DEVICE)' | grep -vE "$own" | sort | normalise | sed -E 's/ID=(J[0-9X]+)$/ID=J/; s/HET_GROUP_([0-9])=J.*/HET_GROUP_\1=J/'; }
first=
while IFS= read -r o; do
	echo "== salloc $o"
	salloc -Q $o env 2>err </dev/null | pick >now
	if [ -z "$first" ]; then cat now; cp now first; first=1; else diff first now | grep '^[<>]'; fi
	grep -v 'Pending\|queued\|allocated' err
done <<'X'

-n 3
-N 2
-N 2 -n 5
-N 2 --ntasks-per-node=3
-n 2 -c 3
--mem=500
--mem-per-cpu=50
-w n1 --gres=gpu:2
--gpus=2
--gpus=1 --cpus-per-gpu=2
--gpus=1 --mem-per-gpu=100
-N2 -n4 -m cyclic
-N2 -n4 -m plane=2
-O -n 3
--exclusive -N1
--hint=nomultithread
--threads-per-core=1
--ntasks-per-core=1
--ntasks-per-socket=2 -n4
-J named
-D /tmp
-t 5
-p short
-q high
-A chem
--profile=task
--gpus=1 --gpu-bind=closest
X
first=
while IFS= read -r o; do
	echo "== srun $o"
	srun -Q $o sh -c '[ $SLURM_PROCID = 0 ] && env' 2>err </dev/null | pick >now
	if [ -z "$first" ]; then cat now; cp now first; first=1; else diff first now | grep '^[<>]'; fi
	grep -i 'error' err | grep -v 'Exited with exit code 1'
done <<'X'

-N 2
-w n1 --gres=gpu:2
--gpus=2
-J named
-t 5
-p short
--threads-per-core=1
X
