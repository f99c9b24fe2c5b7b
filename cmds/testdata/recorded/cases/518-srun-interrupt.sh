# topic: srun
# limit: 60
# Ctrl-C: how things stand, the second sends it on, the third ends all.
. "$CT_LIB"
say() { sed -E 's/AT [0-9T:-]+ /AT T /' "$@" | normalise; }
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
go() { rm -f up.*; srun -u "$@" ./t.sh >out 2>err & P=$!; poll 12 test -e up.0; sleep 0.4; }
end() { wait $P; echo rc=$?; sort out; say err; }
echo == one; go -n 2; kill -INT $P; sleep 1.2; kill -TERM $P; end
echo == two; go -n 2; kill -INT $P; sleep 0.3; kill -INT $P; sleep 1; kill -TERM $P; end
echo == three; go -n 2; kill -INT $P; sleep 0.3; kill -INT $P; sleep 0.3; kill -INT $P; end
echo == slow; go -n 1; kill -INT $P; sleep 1.3; kill -INT $P; sleep 1.3; kill -TERM $P; end
echo == some gone; LEAVE=1; export LEAVE; go -N 2 -n 3; sleep 0.4; kill -INT $P; sleep 1.2; kill -TERM $P; end; unset LEAVE
echo == disable; go -n 2 -X; kill -INT $P; sleep 1; kill -TERM $P; end
