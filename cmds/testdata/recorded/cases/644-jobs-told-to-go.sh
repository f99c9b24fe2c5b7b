# topic: srun
# limit: 110
# What scancel says to a job, its script and its steps: who hears it, how long they have, what is written of it.
. "$CT_LIB"
say() { sed -E 's/AT [0-9T:-]+ /AT T /; s/7[0-9]{5}/ID/g; s/slurmstepd(-[a-z0-9]+)?:/slurmstepd:/; s#launch/slurm: _step_signal: ##' "$@" | sort; }
acct() { poll 10 _over "$1"; sacct -P -n -j $1 -o jobid%20,state,exitcode | sed -E 's/7[0-9]{5}/ID/g; s/by [0-9]+/by UID/'; }
_over() { sacct -n -P -j $1 -o end,state >$CT_STATE/s; [ -s $CT_STATE/s ] && ! grep -q 'Unknown\|RUNNING\|PENDING' $CT_STATE/s; }
_running() { [ -e up ]; }
one() { local how=$1; shift; echo "== $how :: $*"; rm -f up; submit -n2 -o s.out "$@"; poll 15 _running; sleep 0.5; eval "$how"; echo "scancel rc=$?"; wait_done $J; say s.out; acct $J; }
N='srun -l sh -c "touch up; exec sleep 30"'
T='srun -n1 sh -c "trap \"sleep 1.5\" TERM; touch up; sleep 30"'
one 'scancel $J' --wrap "$N; echo rc=\$?"
one 'scancel $J' --wrap "$T; echo rc=\$?"
one 'scancel $J.0' --wrap "$N; echo rc=\$?"
one 'scancel -s KILL $J.0' --wrap "$N; echo rc=\$?" | grep -v STEP
one 'scancel -s TERM $J' --wrap "$N; echo rc=\$?" | grep -v STEP
one 'scancel -s 64 $J.0' --wrap "$N; echo rc=\$?"
one 'scancel -f -s USR1 $J' --wrap "trap 'echo batch' USR1; srun -n1 sh -c 'trap \"echo step\" USR1; touch up; for i in 1 2 3 4; do sleep 0.5; done' & wait; wait; wait"
one 'scancel -b -s USR1 $J' --wrap "trap 'echo batch' USR1; srun -n1 sh -c 'trap \"echo step\" USR1; touch up; for i in 1 2 3 4; do sleep 0.5; done' & wait; wait; wait"
one 'scancel -b $J' --wrap 'touch up; sleep 30'
one 'scancel -b -s TERM $J' --wrap 'touch up; sleep 30'
one true --wrap "srun -n1 sh -c 'trap \"sleep 1.5\" TERM; touch up; sleep 30' >/dev/null 2>&1 & sleep 1.5"
one true --wrap 'touch up; exit 143'
salloc -Q -J inter sh -c 'touch up; srun sleep 2; echo rc=$?' & sleep 1.5; try scancel -b -n inter; try scancel -f -s USR1 -n inter; wait
