# topic: env
# limit: 120
# The environment of steps in an allocation, under the options that leave a trace in it.
. "$CT_LIB"
cat >show.sh <<'X'
#!/bin/bash
[ "$SLURM_PROCID" = ${SHOW:-0} ] || exit 0
env | grep -E '^(SLURM|SRUN|PMI|CUDA_VISIBLE|GPU_DEVICE|TMPDIR)' | sort
X
chmod +x show.sh
cat >list <<'X'

-n1
-n 2
-n 4
-N1 -n2
-N2
-N2 -n2
-c 2
-n1 --mem=50
-n1 --mem-per-cpu=10
-n 4 -m cyclic
-n 4 -m block
-n 4 -m plane=2
-n 4 -m cyclic:cyclic
-l -n1
-n1 -O
-n1 -J named
-n1 --exclusive
-n1 --exact
-n1 --overlap
-n1 --gres=gpu:1
-n2 --gpus-per-task=1
-n2 --gpus=2
-n2 --gpus-per-node=1
-n1 --cpu-bind=none
-n1 --cpu-bind=rank
-n1 --cpu-bind=verbose,map_cpu:0
-n1 --cpu-bind=mask_cpu:0x1
-n1 --mem-bind=local
-n1 --hint=nomultithread
-n2 --ntasks-per-node=1
-n1 -D /tmp
-n1 -K
-n1 -K0
-n1 -W 5
-n1 -u
-n1 -t 5
-n1 --export=ALL,X=1
-n1 --cpu-freq=low
-n1 -w n2
-n1 -x n1
-n1 -r 1
-n1 --open-mode=append
-n1 -i none
-n1 --signal=USR1@10
-n1 --profile=task
-n1 --bcast
-n1 --propagate=NONE
-n1 --task-prolog=/bin/true
X
cat >job.sh <<'X'
#!/bin/bash
own='PACK_|^SLURM_(PACK_SIZE|JOB_SEGMENT|OOM|TOPOLOGY|WORKING_CLUSTER|NODE_ALIASES|CONF=|SUBMIT_HOST|JOB_START_TIME|JOB_END_TIME|TASK_PID|JOB_SLUID|SCRIPT_CONTEXT|SRUN_COMM|STEP_LAUNCHER|LAUNCH_NODE|OOM_KILL)|^SLURM_JOB_USER=|^SLURM_JOB_[UG]ID='
first=
while IFS= read -r o; do
	echo "== $o"
	timeout 10 srun $o ./show.sh 2>err </dev/null | tr -d '\r' | sed 's/^0: //' | grep -vE "$own" | sed -E 's/STEP_?ID=[0-9]+/STEPID=N/; s/RESV_PORTS=.*/RESV_PORTS=P/' | sort >now
	if [ -z "$first" ]; then cat now; cp now first; first=1; else diff first now | grep '^[<>]'; fi
	grep -v '^srun: debug\|^srun: jobid\|^srun: route\|^srun: launch\|^srun: Node\|^srun: task\|^srun: Sent\|^srun: Received\|^slurmstepd: debug\|^srun: .*topology' err | grep -iE 'error|warn|fatal|invalid'
done <list
X
chmod +x job.sh
sed -i "s#<list#<$PWD/list#" job.sh
submit -N 2 -n 4 --gres=gpu:2 -w n1,n2 -o e.out job.sh; poll 100 _ended $J; normalise <e.out
