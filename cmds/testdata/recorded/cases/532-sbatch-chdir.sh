# topic: sbatch
# The directory of a batch job: --chdir, links, limits and the umask that go along.
. "$CT_LIB"
mkdir -p a/b; ln -s a/b link
submit -D link -o l.out --wrap 'pwd; pwd -P; echo $SLURM_SUBMIT_DIR'; wait_done $J; normalise <a/b/l.out; field $J WorkDir StdOut
submit -D a/../a/./b -o l2.out --wrap 'pwd'; wait_done $J; cat a/b/l2.out | normalise; field $J WorkDir StdOut
(cd link; submit -o l3.out --wrap 'pwd'; wait_done $J; cat l3.out | normalise; field $J WorkDir StdOut)
mkdir nox; chmod 600 nox; submit -D nox -o $PWD/nx.out --wrap pwd; wait_done $J; state $J; normalise <nx.out
submit -D nodir --wrap pwd -o $PWD/nd.out; field $J WorkDir; wait_done $J; state $J; cat nd.out | normalise
submit -D '' --wrap pwd -o $PWD/em.out; field $J WorkDir; wait_done $J; cat em.out | normalise
submit -D a -i in.txt -e err.txt -o out.txt -H --wrap cat; field $J WorkDir StdIn StdErr StdOut
printf '#!/bin/bash\n#SBATCH -D a\n#SBATCH -o d.out\npwd\n' >s.sh; submit s.sh; wait_done $J; normalise <a/d.out
SLURM_SUBMIT_DIR=/x submit -o sd.out --wrap 'echo $SLURM_SUBMIT_DIR $PWD $OLDPWD'; wait_done $J; normalise <sd.out
cat >q.sh <<'E'
#!/bin/bash
#SBATCH -o q.out
cd a; srun pwd; srun -D b pwd; srun -D /tmp pwd; echo $PWD; sbatch --parsable -o "$OLDPWD/nested.out" --wrap pwd >id2
E
submit q.sh; wait_done $J; normalise <q.out; remember $(cat a/id2); wait_done $(cat a/id2); normalise <nested.out
umask 077; submit -o u.out --wrap 'umask; touch f; stat -c %a f'; wait_done $J; cat u.out; stat -c %a u.out
ulimit -n 200; ulimit -c 0; ulimit -s 4096; submit -o ul.out --wrap 'ulimit -n; ulimit -s; ulimit -c'; wait_done $J; cat ul.out
submit --propagate=NONE -o ul2.out --wrap 'ulimit -n; ulimit -s'; wait_done $J; wc -l <ul2.out
submit --propagate=STACK -o ul3.out --wrap 'ulimit -n; ulimit -s'; wait_done $J; sed 1d ul3.out
try sbatch --propagate=BAD --wrap true
