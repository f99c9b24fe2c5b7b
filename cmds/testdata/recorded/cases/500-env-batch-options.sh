# topic: env
# limit: 200
# The environment of batch jobs under the options that leave a trace in it.
. "$CT_LIB"
own='PACK_|^SLURM_(PACK_SIZE|JOB_SEGMENT|OOM|TOPOLOGY|WORKING_CLUSTER|NODE_ALIASES|CONF=|SUBMIT_HOST|JOB_START_TIME|JOB_END_TIME|TASK_PID|JOB_SLUID|SCRIPT_CONTEXT|JOB_PARTITION_)|^SLURM_JOB_USER=|^SLURM_JOB_[UG]ID='
printf '#!/bin/bash\nenv | grep -E "^(SLURM|SBATCH|CUDA_VISIBLE|GPU_DEVICE|ENVIRONMENT|TMPDIR)" | sort\n' >env.sh
cat >list <<'X'
-n1
-n 4
-N 2
-N 2 -n 5
-N 2 --ntasks-per-node=3
-N 3 --tasks-per-node=2
-n 2 -c 3
-N 2 -n 3 -c 2
--mem=500
--mem=0 -w n1
--mem-per-cpu=50
-w n1 --gres=gpu:2
--gpus=2
-N2 --gpus-per-node=a100:1
--gpus=1 --cpus-per-gpu=2
--gpus=1 --mem-per-gpu=100
--gpus=1 --ntasks-per-gpu=2
--ntasks-per-core=1
-n4 --ntasks-per-socket=2
--threads-per-core=1
-N2 -n4 -m cyclic
-N2 -n4 -m block:cyclic
-N2 -n4 -m plane=2
-N2 -n4 -m cyclic:block:fcyclic,Pack
-O -n 3
--exclusive
--nice=5
--hint=nomultithread
--profile=task
--gpus=1 --gpu-bind=closest
--gpus=1 --gpu-freq=low
--cpu-freq=low
--open-mode=append
--open-mode=truncate
--export=NONE
--export=A
-J named
-t 5
--requeue
--no-requeue
--signal=USR1@60
--signal=B:TERM
--comment=c
--switches=1
-k
--spread-job
-x n1
-w n2
-w n[2-3]
-C fast
--mincpus=2
-D /tmp
-a 3
-a 1-5:2
-p short
-q high
-A chem
-s
--wait-all-nodes=1
--tmp=0
--contiguous
-B 1:2:1
--mail-type=END --mail-user=x
--get-user-env
--priority=100
--use-min-nodes
--uid=alice
X
n=0
while IFS= read -r o; do
	n=$((n + 1)); f=$PWD/e.$n
	# shellcheck disable=SC2086
	if [ "$o" = '-a 1-5:2' ]; then f=$PWD/e.$n.%a; fi
	submit $o -o "$f" env.sh >sub.$n 2>&1; [ $J = none ] || wait_done $J
done <list
n=0
while IFS= read -r o; do
	n=$((n + 1)); echo "== $o"; cat sub.$n; [ -e e.$n ] || cat e.$n.1 >e.$n
	if [ $n = 1 ]; then grep -vE "$own" e.$n | normalise | tee first; continue; fi
	grep -vE "$own" e.$n | normalise | sed -E 's/JOB_ID=J[0-9]+/JOB_ID=J1/; s/JOBID=J[0-9]+/JOBID=J1/' | diff first - | grep '^[<>]'
done <list
