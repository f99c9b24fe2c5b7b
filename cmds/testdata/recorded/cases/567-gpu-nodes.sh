# topic: gpu
# How nodes with GPUs are shown, idle and in use.
. "$CT_LIB"
submit -w n1 --gres=gpu:a100:2 -o /dev/null --wrap 'sleep 30'; A=$J; wait_state $A RUNNING
submit -w n1 --gpus=1 -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING
submit -w n3 --gres=gpu:v100:1 -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING
for n in n1 n2 n3 n4; do scontrol -d show node $n | grep -E 'Gres|TRES'; done
scontrol show node n1 | grep -E 'Gres'
sinfo -h -N -p debug -o '%N|%G'; sinfo -h -p debug -o '%N|%G'
sinfo -h -N -p debug -O 'NodeHost:10,Gres:30,GresUsed:50'
sinfo -h -p debug -O 'Gres:30,GresUsed:50,NodeList:20'
sinfo -N -p debug -O Gres,GresUsed
scancel $A; wait_done $A; scontrol -d show node n1 | grep GresUsed
