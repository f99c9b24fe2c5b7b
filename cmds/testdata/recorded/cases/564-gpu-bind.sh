# topic: gpu
# Which GPUs each task sees.
. "$CT_LIB"
E='echo $SLURM_PROCID:$CUDA_VISIBLE_DEVICES:$SLURM_STEP_GPUS:$GPU_DEVICE_ORDINAL'
for b in none closest single:1 single:2 per_task:1 per_task:2 map_gpu:0 map_gpu:3,2,1,0 map_gpu:0,0,1,1 map_gpu:1*2,3*2 map_gpu:7 mask_gpu:1,2 mask_gpu:0x3,0xc mask_gpu:0xf mask_gpu:f0 mask_gpu:1*2,2*2 single per_task foo; do
	echo "== $b"; srun -N1 -n4 --gpus=4 --gpu-bind=$b sh -c "$E" 2>&1 | sort | normalise
done
