# topic: gpu
# Steps with part of a job's GPUs.
. "$CT_LIB"
cat >s.sh <<'END'
#!/bin/bash
#SBATCH -N1 -n4 --gpus=4 -o s.out
E='echo $SLURM_STEP_ID:$SLURM_PROCID:$CUDA_VISIBLE_DEVICES:$SLURM_STEP_GPUS:$SLURM_JOB_GPUS:$SLURM_GPUS_ON_NODE'
srun -n1 --gpus=1 sh -c "$E"
srun -n1 --exact --gpus=2 sh -c "$E"
srun -n1 --gres=gpu:3 sh -c "$E"
srun -n2 --gpus-per-task=1 sh -c "$E" | sort
srun -n1 --gres=none sh -c "$E"
srun -n1 --gpus=0 sh -c "$E"
srun -n1 sh -c "$E"
srun -n1 --gpus=5 sh -c "$E" 2>&1
srun -n1 --gres=gpu:v100:1 sh -c "$E" 2>&1
srun -n1 --gpus=a100:2 sh -c "$E" 2>&1
srun -n1 --exact --gpus=1 sh -c "$E; sleep 1" & srun -n1 --exact --gpus=1 sh -c "$E; sleep 1" & wait
END
submit s.sh; wait_done $J; normalise <s.out | sed '$!N;P;D' | sort -s -t: -k1,1 | head -40; sacct -n -P -j $J -o JobID,State,AllocTRES | normalise
