# topic: srun
# What srun says and returns when tasks do not end well.
. "$CT_LIB"
run() { echo "== $*" | sed 's/sh -c .*/sh/'; srun "$@" >out 2>err; echo rc=$?; cat out; sed -E 's/AT [0-9T:-]+ /AT T /' err | sed 's#launch/slurm: _step_signal: ##' | normalise | sort; }
run -n 4 sh -c 'exit $SLURM_PROCID'
run -N 2 -n 6 sh -c 'exit $((SLURM_PROCID % 3))'
run -n 8 sh -c 'case $SLURM_PROCID in 0|1|2|5|7) exit 2;; esac'
run -n 2 sh -c 'kill -9 $$'
run -n 2 sh -c 'kill -TERM $$'
run -n 1 sh -c 'kill -SEGV $$'
run -n 1 sh -c 'ulimit -c 0; kill -ABRT $$'
run -n 1 sh -c 'kill -INT $$'
run -n 1 sh -c 'kill -PIPE $$'
run -n 1 sh -c 'kill -USR2 $$'
run -n 2 sh -c '[ $SLURM_PROCID = 1 ] && kill -9 $$; exit 7'
run -n 1 sh -c 'exit 255'
run -n 1 sh -c 'exit 137'
run nosuchprogram
run ./nosuchprogram
run /nosuchdir/program
run -n 3 ./nosuchprogram
run -N 2 nosuchprogram
echo hello >plain; run -w n1 ./plain
chmod +x plain; run -w n1 ./plain
printf '#!/nosuch/interpreter\n' >interp; chmod +x interp; run ./interp
mkdir adir; run ./adir
run -D /nosuchdir pwd
run -X -n 1 sh -c 'exit 1'
run -Q -n 1 sh -c 'exit 1'
run -n 2 -K sh -c '[ $SLURM_PROCID = 1 ] && exit 3; sleep 20'
run -N 2 -n 2 -K sh -c '[ $SLURM_PROCID = 1 ] && exit 3; sleep 20'
run -w n1 -n 2 -K sh -c '[ $SLURM_PROCID = 1 ] && kill -9 $$; sleep 20'
run -w n1 -n 2 -W 1 sh -c '[ $SLURM_PROCID = 1 ] && exit 0; sleep 20'
run -w n1 -n 3 -W 1 sh -c '[ $SLURM_PROCID = 1 ] && exit 4; [ $SLURM_PROCID = 2 ] && exit 0; sleep 20'
