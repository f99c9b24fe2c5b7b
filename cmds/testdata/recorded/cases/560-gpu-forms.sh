# topic: gpu
# The ways to ask for GPUs, and how a job with them is shown.
. "$CT_LIB"
show() { wait_state $J RUNNING,COMPLETED; field $J NumNodes NumCPUs NodeList TresPerJob TresPerNode TresPerSocket TresPerTask TRES CpusPerTres MemPerTres TresBind; scontrol -d show job $J | grep -oE 'GRES=\S*'; squeue -h -j $J -o '%b|%C|%D'; scancel $J; wait_done $J; }
for a in --gres=gpu:a100 --gres=gpu:a100:2 "--gres=gpu:1 -N2" --gres=gpu:v100:2 --gpus=3 --gpus=a100:2 "--gpus=6 -N2" --gpus-per-node=2 "--gpus-per-task=1 -n3" "--gpus-per-task=a100:2 -n2 -N2" "--gpus=2 --cpus-per-gpu=3" "--gpus=2 --mem-per-gpu=500" "--gpus=a100:1,v100:1 -N2" "--ntasks-per-gpu=2 --gpus=2" "-G2 -n2 --gpu-bind=single:1"; do
	echo "== $a"; submit $a -o /dev/null --wrap 'sleep 20' && show
done
