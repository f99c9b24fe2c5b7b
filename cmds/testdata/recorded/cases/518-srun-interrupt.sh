# topic: srun
# limit: 60
# Ctrl-C: how things stand, the second sends it on, the third ends all.
. "$CT_LIB"
# The shells of the tasks tell of a sleep that was killed with them when they are not killed first; nodes end in any order.
say() { sed -E 's/AT [0-9T:-]+ /AT T /' "$@" | grep -v 'Killed  *sleep' | normalise | perl -e '@l = <>; @k = grep /: Killed/, @l; print(grep(!/: Killed/, @l), sort @k)'; }
cat >t.sh <<'X'
#!/bin/bash
trap 'echo task $SLURM_PROCID got INT' INT
touch up.$SLURM_PROCID
[ "$SLURM_PROCID" = "${LEAVE:-x}" ] && exit 0
for i in $(seq 80); do sleep 0.1; done
X
chmod +x t.sh
# Job control gives each background job its own signal dispositions: INT is not ignored.
set -m
go() { local n=$1; shift; rm -f up.*; srun -u -n $n "$@" ./t.sh >out 2>err & P=$!; poll 12 eval '[ $(ls up.* 2>/dev/null | wc -l) = '$n' ]'; sleep 0.4; }
end() { wait $P; echo rc=$?; sort out; say err; }
echo == one; go 2; kill -INT $P; sleep 1.2; kill -TERM $P; end
echo == two; go 2; kill -INT $P; sleep 0.3; kill -INT $P; sleep 1; kill -TERM $P; end
echo == three; go 2; kill -INT $P; sleep 0.3; kill -INT $P; sleep 0.3; kill -INT $P; end
echo == slow; go 1; kill -INT $P; sleep 1.3; kill -INT $P; sleep 1.3; kill -TERM $P; end
echo == some gone; LEAVE=1; export LEAVE; go 3 -N 2; sleep 0.4; kill -INT $P; sleep 1.2; kill -TERM $P; end; unset LEAVE
echo == disable; go 2 -X; kill -INT $P; sleep 1; kill -TERM $P; end
