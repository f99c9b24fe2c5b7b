# topic: sstat
# sstat: steps by name, all and first, widths and forms, pids without -i, mistakes.
. "$CT_LIB"
t() { echo "\$ sstat $*" | normalise; try sstat "$@"; }
submit -n2 -N1 --wrap 'srun -n2 sleep 20'; R=$J; wait_state $R RUNNING; poll 10 bash -c "squeue -s -h -j $R -o %i | grep -q '\.0'"; poll 10 bash -c "sstat -n -P -j $R.0 -o ntasks | grep -q 2"
F=jobid,ntasks
for a in "$R" "-j $R" "-a -j $R" "-j $R.0" "-j $R.batch" "-j $R.9" "-j $R,$R.0" "-j 1" "-j x" "-j $R -a -n" "-j $R -a -p" "-j $R -a -P" "--noconvert -a -P -j $R" "--jobs=$R"; do t $a -o $F; done
t -j $R -o jobid%5,ntasks%-8,nosuch; t -j $R -o; t; t -x; t -j; t -a -j $R -n -o jobid%30,nodelist%4; t -j $R.0 -o JobID%30,ReqCPUFreqMin,ReqCPUFreqMax,ReqCPUFreqGov,MinCPUNode,MaxRSSNode
[ "$(sstat -n -P -j $R.0 -o pids | tr , '\n' | wc -l)" = 2 ] && echo 'pids of two tasks'
scancel $R
