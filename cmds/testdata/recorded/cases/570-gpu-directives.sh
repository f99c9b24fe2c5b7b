# topic: gpu
# GPUs asked for in the script, the environment and by more than one option.
. "$CT_LIB"
cat >d.sh <<'END'
#!/bin/bash
#SBATCH --gres=gpu:1 --cpus-per-gpu=2
#SBATCH -o d.out
echo $CUDA_VISIBLE_DEVICES $SLURM_GPUS_ON_NODE $SLURM_CPUS_PER_GPU $SLURM_CPUS_ON_NODE
END
submit d.sh; wait_done $J; cat d.out; field $J TresPerNode CpusPerTres NumCPUs
submit --gres=gpu:2 d.sh; wait_done $J; cat d.out; field $J TresPerNode
submit --gpus=2 --gres=gpu:2 d.sh; wait_done $J; cat d.out; field $J TresPerNode TresPerJob
export SBATCH_GPUS=2; submit -o f.out --wrap 'echo $CUDA_VISIBLE_DEVICES $SLURM_GPUS'; wait_done $J; cat f.out; unset SBATCH_GPUS
export SBATCH_GRES=gpu:3; submit -o f.out --wrap 'echo $CUDA_VISIBLE_DEVICES $SLURM_GPUS'; wait_done $J; cat f.out; unset SBATCH_GRES
export SBATCH_GPUS_PER_NODE=a100:1; submit -o f.out --wrap 'echo $CUDA_VISIBLE_DEVICES $SLURM_GPUS_PER_NODE'; wait_done $J; cat f.out; unset SBATCH_GPUS_PER_NODE
export SLURM_GPUS=1; srun sh -c 'echo $CUDA_VISIBLE_DEVICES'; unset SLURM_GPUS
salloc -Q --gpus=2 sh -c 'echo $SLURM_GPUS $CUDA_VISIBLE_DEVICES $SLURM_JOB_GPUS; srun -n1 sh -c "echo \$CUDA_VISIBLE_DEVICES"'
