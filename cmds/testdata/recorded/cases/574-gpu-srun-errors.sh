# topic: gpu
# What srun and salloc refuse of GPUs.
. "$CT_LIB"
for a in --gres=gpu:9 --gres=foo:1 --gpus=x --gpus-per-task=0 "--gpus-per-task=1 --gpus=2" "--ntasks-per-gpu=1" "--gpu-bind=foo" "--gpus=2 --ntasks-per-gpu=2" "--mem-per-gpu=1 --gpus=1 --mem=3" "--cpus-per-gpu=1 --gpus=1 -c2"; do
	echo "== $a"; try srun $a -t1 sh -c 'echo $SLURM_NTASKS $CUDA_VISIBLE_DEVICES' | sort # tasks end in any order
done
# Slurm may tell the command that its job was revoked before salloc has ended.
try salloc -n1 --gpus-per-task=1 sh -c 'echo $SLURM_GPUS_PER_TASK' | grep -v revoked
