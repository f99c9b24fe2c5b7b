# limit: 200
# Forms of srun: where its streams go, how tasks are laid out, what is not to be had at once.
. "$CT_LIB"
t() { echo "+ $*"; timeout 20 "$@" >o.txt 2>e.txt; rc=$?; normalise <o.txt | sort; echo "--"; normalise <e.txt | grep -v "^srun: job " | sort; echo "rc=$rc"; }
t srun --cpu-bind=none true
t srun --cpu-bind=cores true
t srun --cpu-bind=verbose echo x
t srun --cpu-bind=q,none echo x
t srun --cpu-bind=map_cpu:0 echo x
t srun --mem-bind=local echo x
t srun --mem-bind=bogus echo x
t srun -l -n 12 echo x
t srun -l -N 2 -n 3 sh -c 'echo $SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID'
t srun -l -o y.txt -n 2 echo labelled; sort y.txt
t srun -u -n 2 echo unb
t srun -o none echo hi
t srun -o /dev/null -e err.%j.%s.%t sh -c 'echo e >&2'; ls err.* | normalise; cat err.*
t srun -e z.txt -o z.txt sh -c 'echo o; echo e >&2'; sort z.txt
t srun -i /etc/hostname wc -l
t srun -n 2 -i 1 sh -c 'cat; echo $SLURM_PROCID' </dev/null
printf 'a\nb\n' >in.txt
t srun -n 3 -i in.txt wc -l
t srun -n 3 --input=1 wc -l
t srun -n 2 --output=1 sh -c 'echo $SLURM_PROCID'
t srun -n 2 --output=all sh -c 'echo $SLURM_PROCID'
t srun --ntasks-per-node=2 -N 2 -l printenv SLURMD_NODENAME
t srun --ntasks-per-node=3 -N 2 -n 4 -l printenv SLURMD_NODENAME
t srun -n 4 -N 2 -m block:cyclic -l printenv SLURM_NODEID
t srun -n 4 -N 2 -m plane=1 -l printenv SLURM_NODEID
t srun -n 4 -N 2 -m plane -l printenv SLURM_NODEID
t srun -n 5 -N 2 -m cyclic:block -l printenv SLURM_NODEID
t srun -N 3 -n 2 hostname
t srun -N2 -n1 printenv SLURM_JOB_NUM_NODES
t srun -w n3,n1 -l printenv SLURMD_NODENAME
t srun -w 'n[1-2]' -n 4 -l printenv SLURMD_NODENAME
t srun -n 2 -c 3 sh -c 'echo $SLURM_CPUS_PER_TASK $SLURM_CPUS_ON_NODE $SLURM_JOB_CPUS_PER_NODE $SLURM_TASKS_PER_NODE'
t srun -c 2 -N2 sh -c 'echo $SLURM_CPUS_PER_TASK $SLURM_CPUS_ON_NODE $SLURM_JOB_CPUS_PER_NODE $SLURM_STEP_TASKS_PER_NODE'
t srun -n 17 printenv SLURM_JOB_CPUS_PER_NODE
