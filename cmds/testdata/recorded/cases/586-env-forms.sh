# limit: 150
# The variables of jobs and steps under many options.
. "$CT_LIB"
e() { submit -o e.out "$@" --wrap 'env | grep -E "^(SLURM|SBATCH|CUDA|GPU|ROCR|TMPDIR|HOSTNAME|ENVIRONMENT)" | grep -vE "PID|SID|PACK_GROUP|IPADDR|CONF=|SLURM_JOB_(START|END)_TIME|TOPOLOGY|WORKING_CLUSTER|SUBMIT_(DIR|HOST)|TMPDIR" | sort'; wait_done $J; echo "+ $*"; normalise <e.out; rm -f e.out; }
e
e -n 3 -N 2 -t 5 -J nm -p short --mem=100 -c 2
e -a 3 --gres=gpu:1 --ntasks-per-node=2 -N 1
e --exclusive -w n4 --comment=c --signal=USR1@10
e --gpus=2 --gpus-per-node=1 -N 2 --ntasks-per-gpu=1
e --mem-per-cpu=50 -d singleton -O -n 2 -m cyclic:block
e --gpus-per-task=1 -n 2 --cpus-per-gpu=2 --mem-per-gpu=100 --gpu-bind=none
e --export=NONE -A chem --qos=high --hint=nomultithread
e --ntasks-per-core=1 -n 2 --ntasks-per-socket=1 -B 2:1 --profile=none
e -N 4 --requeue --nice=3 --open-mode=a --threads-per-core=1
submit -N2 -n3 -o s.out --wrap 'srun sh -c "env | grep -E ^SLURM | grep -vE \"PID|SID|PACK_GROUP|IPADDR|CONF=|TIME=|TOPOLOGY|WORKING_CLUSTER|SUBMIT_(DIR|HOST)|PORT|COMM_HOST|TMPDIR\" | sort | sed s/^/\$SLURM_PROCID:/" | sort'; wait_done $J; normalise <s.out
srun -n2 -c2 --mem=100 -J sn sh -c 'env | grep -E "^SLURM" | grep -vE "PID|SID|PACK_GROUP|IPADDR|CONF=|TIME=|TOPOLOGY|WORKING_CLUSTER|SUBMIT_(DIR|HOST)|PORT|COMM_HOST" | sort | sed s/^/$SLURM_PROCID:/' | sort | normalise | sed -E 's/7[0-9]{5}/ID/g'
