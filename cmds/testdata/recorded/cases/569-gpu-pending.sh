# topic: gpu
# Jobs that wait for GPUs.
. "$CT_LIB"
submit -w n3 --gres=gpu:2 -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING
submit --gres=gpu:v100:1 -o /dev/null --wrap true; wait_reason $J Resources; field $J JobState Reason TRES TresPerNode ReqTRES; squeue -h -j $J -o '%t %r %b'
submit --gpus=v100:2 -o /dev/null --wrap true; wait_reason $J Priority; field $J JobState Reason TresPerJob
submit --gres=gpu:a100:4 -N2 -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING; scontrol -d show job $J | grep -oE 'Nodes=.*'
submit --gres=gpu:1 -o /dev/null --wrap true; wait_reason $J Resources,Priority; state $J
