# topic: salloc
# limit: 100
# What salloc says.
. "$CT_LIB"
run() { echo "== $*"; timeout 8 salloc "$@" >out 2>err </dev/null; local rc=$?; grep -oE 'job allocation [0-9]+' err | grep -oE '[0-9]+$' | while read -r i; do remember $i; done; echo rc=$rc; cat out; grep -v 'has been revoked' err | normalise; }
run true
run -n 1 sh -c 'exit 3'
run -Q -n 1 sh -c 'exit 3'
run nosuch
run /nosuch/x
run -n 1 sh -c 'kill -TERM $$'
run -n 1 sh -c 'scancel $SLURM_JOB_ID; sleep 5; echo still'
run -n 1 -K sh -c 'scancel $SLURM_JOB_ID; sleep 5; echo still'
run -n 1 -KKILL sh -c 'scancel $SLURM_JOB_ID; sleep 5; echo still'
run -p nosuch true
run -p closed -I1 true
run -t x true
run --nosuch true
run -n 1 --no-shell; scancel -u alice; sleep 0.3
run -n 1 --no-shell true; scancel -u alice; sleep 0.3
SHELL=/bin/sh run -n 1
run -w n1 --exclusive -I2 sh -c 'salloc -w n1 -I1 true; salloc -w n1 --immediate true'
run -D /tmp pwd
run -D /nosuch pwd
run --bell -n1 true
run -n1 --begin=now+2 echo began
salloc -w n1 --exclusive sleep 4 >/dev/null 2>&1 & sleep 0.7
echo == waits; salloc -w n1 -n 1 true 2>err; normalise <err; wait
salloc -w n1 --exclusive sleep 5 >/dev/null 2>&1 & sleep 0.7
echo == revoked; salloc -J waits -w n1 -n 1 true 2>err & P=$!; sleep 1; scancel -n waits; wait $P; echo rc=$?; normalise <err
echo == signalled; salloc -w n1 -n 1 true 2>err & P=$!; sleep 1; kill -TERM $P; wait $P; echo rc=$?; normalise <err; scancel -u alice; wait
salloc -w n1 --exclusive sleep 5 >/dev/null 2>&1 & sleep 0.7
echo == srun waits; srun -w n1 -J sw -n 1 true 2>err & P=$!; sleep 1; scancel -n sw; wait $P; echo rc=$?; normalise <err
echo == srun immediate; srun -w n1 -n 1 -I1 true 2>err; echo rc=$?; normalise <err
echo == srun signalled; srun -w n1 -n 1 true 2>err & P=$!; sleep 1; kill -TERM $P; wait $P; echo rc=$?; normalise <err; scancel -u alice; wait
SLURM_EXIT_IMMEDIATE=9 SLURM_EXIT_ERROR=8 run -p closed -I1 true
SLURM_EXIT_ERROR=8 run -p nosuch true
