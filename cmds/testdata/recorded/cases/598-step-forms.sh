# topic: srun
# limit: 60
# Steps of an allocation under many options: where their tasks are, and what they are told.
. "$CT_LIB"
cat >job.sh <<'E'
#!/bin/bash
#SBATCH -N 2 -n 4 -c 2 -w n1,n2 -o s.out --ntasks-per-node=2
# What the step before held is given back a moment after its srun has ended.
t() { echo "+ $*"; for i in $(seq 40); do squeue -h -s -j $SLURM_JOB_ID -o %i | grep -q '\.[0-9]' || break; sleep 0.05; done; timeout 8 srun "$@" sh -c 'echo $SLURM_PROCID $SLURMD_NODENAME $SLURM_NTASKS $SLURM_CPUS_PER_TASK $SLURM_CPUS_ON_NODE $SLURM_TASKS_PER_NODE $SLURM_STEP_NODELIST $SLURM_NNODES $SLURM_NTASKS_PER_NODE $SLURM_JOB_NUM_NODES' 2>err </dev/null | sort -n; echo rc=${PIPESTATUS[0]}; sed -E 's/7[0-9]{5}/ID/g' err | grep -v 'creation temporarily\|Step created' | sort; }
t
t -n1
t -n2
t -n3
t -n4 -c1
t -n8 -c1
t -n2 -c4
t -c4
t -c1
t -N1
t -N1 -n2
t -N1 -n4
t -N2 -n3
t -n5
t -N3
t -w n2
t -w n2 -n2
t -x n2 -n2
t -r1 -n1
t -r1 -N1 -n2
t --ntasks-per-node=1
t --ntasks-per-node=1 -n2
t --ntasks-per-node=2 -N1
t --exact -n1
t --exact -n1 -c1
t --exclusive -n1 -c1
t --exclusive -N1
t --overlap -n1
t -O -n6
t -O -n6 -N1
t --mem=50 -n1
t --mem-per-cpu=10 -n2
t --mem=0 -n1
t -m plane=1
t -m cyclic
t -m block
t -n2 -m cyclic -N2
t --use-min-nodes -N1-2 -n2
t -N1-2 -n3
t --cores-per-socket=1 -n1
t --threads-per-core=1 -n1
t -t 1 -n1
t -J nm -n1
t --gres=none -n1
t --gres=gpu:1 -n1
t --jobid=$SLURM_JOB_ID -n1
t --jobid=650000 -n1
t -p short -n1
t -A chem -n1
t -q high -n1
t -L matlab:1 -n1
t --comment=x -n1
t -H -n1
t --begin=now+1hour -n1
t -d singleton -n1
t --nice=5 -n1
t --tmp=1 -n1
t --reservation=nosuch -n1
t -s -n1
t --exclusive=user -n1
t -k -n1
t --mincpus=3 -n1
E
submit job.sh; poll 90 _ended $J; normalise <s.out
