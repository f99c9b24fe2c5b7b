# topic: gpu
# What is said of the binding of GPUs.
. "$CT_LIB"
E='echo $SLURM_PROCID:$CUDA_VISIBLE_DEVICES'
for b in verbose,none verbose,closest verbose,single:1 v,single:2 verbose,per_task:2 verbose,map_gpu:3,2,1,0 verbose,mask_gpu:0x3,0xc verbose; do
	echo "== $b"; srun -N1 -n4 --gpus=4 --gpu-bind=$b sh -c "$E" 2>&1 | sort | normalise
done
echo "== of two of four"; srun -w n1 -n2 --gres=gpu:2 --gpu-bind=verbose,single:1 sh -c "$E" 2>&1 | sort
