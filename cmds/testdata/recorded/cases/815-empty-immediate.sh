# Options that name nothing, steps of jobs that are gone, and who waits for an allocation only so long.
. "$CT_LIB"
x() { echo "+ $*" | normalise; "$@" >$CT_STATE/x 2>&1; r=$?; grep -v "has been revoked" $CT_STATE/x | normalise; echo "rc=$r"; }
for o in -x -C -p -A -q -d -L --mem -N -t -n; do x sbatch --test-only $o '' --wrap true; done 2>&1 | sed 's/Job 7[0-9]* to start at .*/starts/; s/sbatch: Job JX to start at .*/sbatch: starts/'
x srun -w '' true
x srun --gres='' true
x salloc -w '' true
x salloc --gres='' true
submit -H -t 60 --wrap true; P=$J
x scancel $P.0
for k in TimeMin=90 TimeMin=UNLIMITED TimeMin=30 Features=; do x scontrol update jobid=$P $k; done
field $P TimeMin Features
submit -N4 --exclusive -o /dev/null --wrap 'sleep 100'; H=$J; wait_state $J RUNNING
x scancel $H.7
x scontrol update jobid=$H TimeMin=5
x scontrol update jobid=$H NumNodes=0
x salloc --immediate true
x salloc --no-shell -I1
x salloc -I2 true
x srun -I1 true
x srun -I2 true
scancel $H; wait_done $H
x scancel $H.0
x scancel 650000.0 650001.0
x scancel -Q $H.0
x scancel -b $H
x srun --immediate=3 echo ok
