# topic: gpu
# The variables of tasks with GPUs, by ways of asking.
. "$CT_LIB"
E="env | grep -E 'GPU|CUDA|ROCR|ZE_AFF|TRES' | sort | sed s/^/\$SLURM_PROCID:/"
for a in --gres=gpu:2 "--gpus=2 -n2" "--gpus-per-task=1 -n2" "--gpus-per-task=2 -n2 -N1" "--gpus-per-node=1 -N2 -n2" "--gpus=4 -n2 --gpu-bind=single:1 -N1" "--gpus=2 -n4 --ntasks-per-gpu=2 -N1" "--gpus=2 --cpus-per-gpu=2" "--gres=gpu:1 --gpu-freq=high" "-n1"; do
	echo "== $a"; srun $a sh -c "$E" 2>&1 | sort -s -t: -k1,1 | normalise
done
