# topic: gpu
# An array, tasks of one job and several jobs on the GPUs of a node.
. "$CT_LIB"
submit --array=0-3 -w n1 --gres=gpu:1 -o a.%a --wrap 'echo $CUDA_VISIBLE_DEVICES >>all; sleep 3'; wait_file all; poll 8 test "$(wc -l <all)" = 4; sort all
wait_done $J
submit -w n1 -n4 --gpus-per-task=1 -o t.out --wrap 'srun -l sh -c "echo \$CUDA_VISIBLE_DEVICES" | sort'; wait_done $J; cat t.out
submit -N2 -n4 --gpus-per-node=2 --ntasks-per-node=2 -o n.out --wrap 'srun -l sh -c "echo \$SLURMD_NODENAME \$CUDA_VISIBLE_DEVICES" | sort'; wait_done $J; cat n.out
submit -N2 -n6 --gpus=6 -o n.out --wrap 'scontrol -d show job $SLURM_JOB_ID | grep -oE "Nodes=\S+ CPU.*"; srun -l sh -c "echo \$SLURMD_NODENAME \$CUDA_VISIBLE_DEVICES" | sort'; wait_done $J; cat n.out
