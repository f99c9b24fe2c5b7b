# topic: gpu
# CPUs and memory that go with GPUs.
. "$CT_LIB"
for a in "--gpus=2 --cpus-per-gpu=3" "--gpus-per-node=2 -N2 --cpus-per-gpu=2" "--gpus-per-task=1 -n2 --cpus-per-gpu=4" "--gres=gpu:2 --cpus-per-gpu=1 -n1" "--gpus=3 --mem-per-gpu=1G" "--gpus-per-task=2 -n2 --mem-per-gpu=100" "--gpus=2 --ntasks-per-gpu=3" "--gpus=4 --cpus-per-gpu=2 -n2 -N1" "--gpus-per-socket=2 --sockets-per-node=1 --cpus-per-gpu=2"; do
	echo "== $a"; submit $a -o c.out --wrap 'echo $SLURM_NTASKS $SLURM_CPUS_ON_NODE $SLURM_CPUS_PER_TASK $SLURM_CPUS_PER_GPU $SLURM_MEM_PER_NODE $SLURM_MEM_PER_GPU $SLURM_MEM_PER_CPU $SLURM_TASKS_PER_NODE $SLURM_JOB_CPUS_PER_NODE; srun sh -c "echo \$SLURM_PROCID \$SLURM_CPUS_PER_TASK \$CUDA_VISIBLE_DEVICES" | sort'; wait_done $J; cat c.out; field $J NumTasks NumCPUs TRES MinMemoryNode MinMemoryCPU; rm -f c.out
done
