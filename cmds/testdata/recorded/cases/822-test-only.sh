# topic: sbatch
# --test-only of requests of many kinds, those that can never be and heterogeneous ones among them.
. "$CT_LIB"
t() { echo "+ $*"; "$@" 2>&1 | sed -E 's/Job [0-9]+/Job N/; s/at [0-9T:-]+/at T/' | normalise; echo "rc=${PIPESTATUS[0]}"; }
for a in '' '-n 64' '-n 65' '-N 4' '-N 5' '-N 2-8' '-n 17 -N 1' '-c 17' '-c 16 -n 4' '--mem=64000' '--mem=64001' '--mem-per-cpu=5000 -n 20' '-C fast -N 3' '-C nosuch' '-C fast&slow' '-w n1,n3' '-w nosuch' '-x n[1-4]' '-x n1,n2,n3' '-p short -t 2:00:00' '-p short -N 3' '-p single -N 2' '-p closed' '-p short,single -n 20' '--gres=gpu:4' '--gres=gpu:5' '--gpus=v100:2' '--gpus=11' '-L matlab:4' '-L matlab:5' '-L nosuch' '-a 1-10' '-a 1-10%2 -n 16' '-H' '--begin=now+1hour' '-d singleton' '-d afterok:650000' '-q tiny -n 8' '-q strict -n 9' '-A capped -n 7' '-A nosuch' '-q nosuch' '--exclusive -n 20' '--reservation=nosuch' '--contiguous -N 3' '--ntasks-per-node=5 -n 20' '-N 2 -n 1' '--mincpus=17' '--tmp=1T' '-M ref' '-W'; do t sbatch --test-only $a --wrap true; done
for a in '-n 3' '-n 65' '-N 5' '-p short -t 2:00:00' '-w n2' '-C nosuch' '-H' '--gres=gpu:5' '-I'; do t srun --test-only $a true; done
t srun --test-only; t salloc --test-only; t sbatch --test-only nosuch
printf '#!/bin/bash\n#SBATCH --test-only\n#SBATCH -n 4\ntrue\n' >d.sh; t sbatch d.sh
t sbatch --test-only -n1 : -n2 --wrap true
t sbatch --test-only -n1 : -n99 --wrap true
t srun --test-only -n1 true : -n2 true
squeue -h -u alice | wc -l
