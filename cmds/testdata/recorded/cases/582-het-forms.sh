# limit: 100
# Heterogeneous jobs: several programs in one srun, requeueing, changes of components.
. "$CT_LIB"
t() { echo "+ $*"; timeout 20 "$@" >o.txt 2>e.txt; rc=$?; normalise <o.txt | sort; echo "--"; normalise <e.txt | grep -v 'has been revoked' ; echo "rc=$rc"; }
t srun -l -n1 echo a : -n2 echo b
t srun -l -n1 echo a : -n2
t srun -l -n1 : -n2 : -n1 echo c
t srun -l -n1 : -n2 echo b : -n1 echo c
t srun -l -N2 -n2 : -n1 -w n3 sh -c 'echo $SLURM_PROCID $SLURM_NTASKS $SLURM_HET_SIZE $SLURM_LOCALID'
cat >h.sh <<'E'
#!/bin/bash
#SBATCH -J het -n 1 -o h.out
#SBATCH hetjob
#SBATCH -n 2 -p short
sleep 30
E
submit h.sh; H=$J; wait_state $H RUNNING
try scontrol requeue $H; wait_state $H PENDING; squeue -h -j $H -o '%i %T' | normalise; scontrol show job $H | grep -oE 'Restarts=.|Reason=\S+'
scancel $H; wait_done $H
submit -n1 : -n2 --wrap 'srun -l --het-group=0,1 printenv SLURM_HET_SIZE' -o hw.out; wait_done $J; sort hw.out
submit -n1 -J a -w n1 -o he.out : -n2 -J b -w n2 --wrap 'env | grep -E "^SLURM_(JOB_NAME|HET|NTASKS|JOB_NODELIST)" | grep -v PACK_ | sort; squeue -h -j $SLURM_JOB_ID -o "%i %j" | sort'; wait_done $J; normalise <he.out
try sbatch -H -a 1-2 -n1 : -n1 --wrap true
try sbatch -H -n1 : -p nosuch --wrap true
try sbatch -H -n1 : --wrap true
scontrol show job $(tail -1 $CT_STATE/ids) | grep -c ^JobId
submit -H -J x -n1 : -J y -n2 : -n3 --wrap true; squeue -h -j $J -S i -o '%i %j %C %T %r' | normalise; squeue -h -n y -o '%i' | normalise; squeue -h -j $J -O hetjobid,hetjoboffset,hetjobidset,jobid | normalise
try scancel $J+2
try scontrol release $J+1
try scontrol hold $J
try scontrol update jobid=$J+2 name=z; squeue -h -j $J -S i -o '%i %j' | normalise
try scontrol update jobid=$J name=zz; squeue -h -j $J -S i -o '%i %j' | normalise
scancel $J; wait_done $J; squeue -h -t all -j $J -S i -o '%i %j %T' | normalise
