# topic: srun
# limit: 90
# Where the streams of tasks go: the names and words of -i, -o, -e.
. "$CT_LIB"
show() { local f; for f in $(ls | grep -E '^[o]' | sort); do echo "-- $f" | normalise; sort $f; done; rm -f o*; }
run() { echo "== $*"; timeout 6 srun "$@" 2>err </dev/null; echo rc=$?; sort err | normalise; show; }
me='echo out $SLURM_PROCID; echo err $SLURM_PROCID >&2'
run -n 3 -o o.%t sh -c "$me"
run -n 3 -o o.%t -e oe.%t sh -c "$me"
run -N 2 -n 3 -o o.%n sh -c "$me"
run -n 2 -o o.%3t.%4s sh -c "$me"
run -n 1 -J named -o 'o.%j.%J.%s.%u.%x.%%.%A.%a.%q' sh -c "$me"
run -n 3 -o o.all sh -c "$me"
run -n 3 -o none sh -c "$me"
run -n 3 -o all sh -c "$me"
run -n 3 -o 1 sh -c "$me"
run -n 3 -o 7 sh -c "$me"
run -n 3 -e none sh -c "$me"
run -n 3 -e 2 sh -c "$me"
run -n 3 -o none -e oe.all sh -c "$me"
run -n 2 -o o.same -e o.same sh -c "$me"
run -n 2 -l -o o.lab sh -c "$me"
run -n 1 -o 'o\\.%t' sh -c "$me"
run -n 1 -o nodir/x sh -c "$me"
run -n 1 -o nodir/x.%t sh -c "$me"
echo before >o.app; run -n 1 --open-mode=append -o o.app sh -c "$me"
echo before >o.app; run -n 1 --open-mode=truncate -o o.app sh -c "$me"
echo before >o.app; run -n 1 --open-mode=x -o o.app sh -c "$me"
mkdir sub; run -n 1 -D sub -o o.cd sh -c "$me"; ls sub
echo line >in; for i in 0 1 2; do echo only $i >in.$i; done
run -n 3 -i in cat
run -n 3 -i in.%t cat
run -n 3 -i none cat
run -n 3 -i /dev/null cat
run -n 3 -i nosuch cat
run -n 3 -i nosuch.%t cat
echo piped | timeout 6 srun -n 3 -l cat | sort
echo piped | timeout 6 srun -n 3 -l -i all cat | sort
echo piped | timeout 6 srun -n 3 -l -i 1 cat | sort
echo piped | timeout 6 srun -n 3 -l -i 9 cat 2>&1 | sort
seq 100000 | timeout 6 srun -n 2 -i 0 wc -l | sort
seq 100000 | timeout 6 srun -n 2 sha1sum | sort -u | wc -l
printf 'no newline' | timeout 6 srun -n 2 -l cat | sort
srun -n 12 -l sh -c 'echo $SLURM_PROCID' | sort
srun -n 1 -l sh -c 'printf "a\nb\n\nc"; printf e >&2' 2>&1 | sort
srun -u -n 1 printf 'part'; echo
srun -n2 head -c 300000 /dev/zero | wc -c
