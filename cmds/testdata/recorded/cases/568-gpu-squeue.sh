# topic: gpu
# squeue's and sacct's columns of GPUs.
. "$CT_LIB"
for a in "--gres=gpu:2 -w n1" "--gpus=a100:1 -w n2" "--gpus-per-task=1 -n2 --cpus-per-gpu=2 -w n2" "--gpus-per-node=v100:1 --mem-per-gpu=200" "-n1"; do submit $a -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING; done
submit -H --gpus-per-socket=1 --sockets-per-node=1 --wrap true; submit -H --gpus=2 --gpu-bind=single:1 --gpu-freq=low,memory=high --wrap true
squeue -h -S i -o '%i|%b|%C|%m' | normalise
for c in tres-alloc tres-per-job tres-per-node tres-per-socket tres-per-task tres-bind tres-freq cpus-per-tres mem-per-tres gres; do echo "== $c"; squeue -h -S i -O "$c:70" | sed 's/ *$//'; done
squeue -S i -O tres-per-node,tres-per-job | head -2
