# topic: gpu
# What is refused, in which words.
. "$CT_LIB"
for a in --gres=gpu:5 --gres=gpu:h100:1 --gres=foo:1 --gres=gpu:x:y:z --gres=gpu:a100:2x --gres=gpu: --gres=:1 --gres=gpu,gpu:a100 --gres=gpu:0 --gres=none --gres=gpu:1k "--gpus=a100:9" --gpus=0 --gpus=x --gpus=20 "--gpus-per-task=1" "--gpus-per-socket=1" "--cpus-per-gpu=2" "--mem-per-gpu=100" "--ntasks-per-gpu=2" "--ntasks-per-gpu=2 --gpus-per-task=1 -n2" "--gpus-per-task=1 --gpus=3 -n2" "--gpus-per-node=3 --gpus=2 -N1" "--gpus=4 --gpus-per-node=1 -N2" "--cpus-per-gpu=2 --cpus-per-task=2 --gpus=1" "--mem-per-gpu=10 --mem=10 --gpus=1" "--gres=gpu:v100:3" "--gres=gpu:2 -w n4" "--gpus-per-node=v100:1 -w n1" "--gres=gpu:1,license:1" "--gres=craynetwork:1" "--gres=shard:1" "--gres=mps:50" "--gres=gpu:2,gpu:v100:1" "--gres=gpu:a100:1,gpu:v100:1" "--gres=GPU:1" "--gpu-bind=foo --gpus=1" "--gpu-freq=foo --gpus=1" "--gres-flags=foo --gpus=1"; do
	echo "== $a"; try sbatch $a -H -o /dev/null --wrap true
done
