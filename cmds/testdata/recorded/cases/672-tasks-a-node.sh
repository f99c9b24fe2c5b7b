# topic: submit
# Jobs whose tasks are not a multiple of those on a node, and GPUs by node and in all: as they wait and as they run.
. "$CT_LIB"
ask() {
	echo "== $*"
	submit -H -o out-%j "$@" --wrap 'echo $SLURM_NNODES $SLURM_NTASKS $SLURM_NPROCS $SLURM_TASKS_PER_NODE $SLURM_JOB_CPUS_PER_NODE $SLURM_NTASKS_PER_NODE $SLURM_GPUS $SLURM_GPUS_PER_NODE' || return
	field $J NumNodes NumCPUs NumTasks TRES MinCPUsNode | paste -sd' '
	squeue -h -j $J -o '%D %C %c'
	scontrol release $J; wait_done $J
	field $J NumNodes NumCPUs NumTasks TRES MinCPUsNode | paste -sd' '
	cat out-$J
}
ask -n5 --ntasks-per-node=2
ask -n5 --ntasks-per-node=2 -N3
ask -n5 --ntasks-per-node=2 -N4
ask -n3 --ntasks-per-node=2
ask -n7 --ntasks-per-node=3
ask -n12 --ntasks-per-node=4 -N1-3
ask -n12 --ntasks-per-node=4
ask -n6 --ntasks-per-node=4 -N2
ask -n4 --ntasks-per-node=4 -N2
ask --gpus=4 --gpus-per-node=2
ask --gpus=4 --gpus-per-node=4
ask --gpus=2 --gpus-per-node=2 -n3
ask --gpus=4 --gpus-per-task=2
ask -n4 --gpus-per-task=1 --gpus-per-node=2
ask -n3 --gpus-per-task=1 --gpus-per-node=2
ask -n4 --gpus-per-task=2 --gpus-per-node=4
ask -n2 --gpus-per-task=2 --gpus-per-node=3
ask --gpus-per-task=1 --gpus-per-node=2
ask -N2 --gpus-per-task=1 --gpus-per-node=2 -n2
ask --gpus-per-task=1 --gpus-per-node=2 --ntasks-per-node=1 -n2
ask --gpus-per-task=1 --ntasks-per-node=2 -n3
ask --gpus-per-task=1 --ntasks-per-node=2 -N2
