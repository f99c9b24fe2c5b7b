# topic: env
# Variables of heterogeneous jobs, in the batch script and in steps on components.
. "$CT_LIB"
cat >job.sh <<'X'
#!/bin/bash
#SBATCH -N1 -n2 -w n1 -J het -o h.out
#SBATCH hetjob
#SBATCH -N2 -n4 -c2 -w n[3-4]
env | grep -E '^SLURM.*(HET|PACK)' | grep -vE 'PACK|NODE_ALIASES|TOPOLOGY|START_TIME|END_TIME' | sort
echo == plain; env | grep -E '^SLURM_(NTASKS|NNODES|JOB_NODELIST|JOB_NUM_NODES|TASKS_PER_NODE|JOB_CPUS_PER_NODE|NPROCS|NODELIST|JOB_ID|JOBID|CPUS_ON_NODE)=' | sort
echo == step; srun sh -c 'echo $SLURM_STEP_NUM_TASKS $SLURM_STEP_NODELIST $SLURM_NTASKS' | sort
echo == step 1; srun --het-group=1 sh -c 'echo $SLURM_PROCID of $SLURM_NTASKS on $SLURM_STEP_NODELIST' | sort
echo == step 0,1; srun --het-group=0,1 sh -c 'echo $SLURM_PROCID of $SLURM_NTASKS on $SLURM_STEP_NODELIST' | sort
echo == two; srun -n1 sh -c 'echo a $SLURM_PROCID of $SLURM_NTASKS' : -n2 sh -c 'echo b $SLURM_PROCID of $SLURM_NTASKS' | sort
echo == label; srun -l --het-group=0,1 printenv SLURMD_NODENAME | sort
echo == bad; srun --het-group=2 true; echo rc=$?
srun --het-group=x true; echo rc=$?
X
submit job.sh; wait_done $J; normalise <h.out
