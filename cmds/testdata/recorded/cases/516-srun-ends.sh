# topic: srun
# limit: 90
# Steps that are ended from outside, and what srun says of it.
. "$CT_LIB"
say() { sed -E 's/AT [0-9T:-]+ /AT T /' "$@" | sed "s#launch/slurm: _step_signal: ##" | normalise | sort; }
wait_file_any() { poll 12 test -e "$1"; }
# Of a job that is cancelled srun may be gone before Slurm's node has said so.
told() { case $1 in 'scancel $J') grep -v 'STEP .* CANCELLED AT';; *) cat;; esac; }
end() { local how=$1; shift
	rm -f up; srun -J t "$@" sh -c 'touch up; exec sleep 9' >out 2>err & P=$!
	wait_file_any up; sleep 0.3; J=$(squeue -h -u alice -o %i | head -1); remember "$J"
	eval "$how"; wait $P; local rc=$?; echo "== $how $*" | normalise; echo rc=$rc; cat out; say err | told "$how"; wait_done $J; state $J; }
end 'scancel $J'
end 'scancel $J.0'
end 'scancel -s TERM $J.0'
end 'scancel -s KILL $J.0'
end 'scancel -s INT $J.0'
end 'scancel $J' -N 2 -n 3
end 'kill -TERM $P'
end 'kill -HUP $P'
end 'kill -QUIT $P'
end 'kill -USR1 $P'
end 'kill -ALRM $P'
end 'scancel $J.0' -n 2 -K
