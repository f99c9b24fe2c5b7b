# topic: gpu
# The variables of a batch script with GPUs.
. "$CT_LIB"
for a in --gres=gpu:2 --gpus=3 --gpus=a100:1 "--gpus-per-node=2 -N2" "--gpus-per-task=1 -n2" "--gpus-per-socket=1 --sockets-per-node=1" "--gpus=2 --cpus-per-gpu=2" "--gpus=1 --mem-per-gpu=300" "--gpus=2 --ntasks-per-gpu=2" "--gpus=1 --gpu-bind=closest" "--gpus=2 --gpu-bind=verbose,single:1" "--gpus=1 --gpu-freq=low" "--gres=gpu:1 --gres-flags=enforce-binding" "-w n3 --gres=gpu:2" -n1; do
	echo "== $a"; submit $a -o e.out --wrap "env | grep -E 'GPU|CUDA|ROCR|ZE_AFF|GRES|TRES' | sort"; wait_done $J; cat e.out; rm -f e.out
done
