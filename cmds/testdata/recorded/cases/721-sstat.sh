# topic: sstat
# sstat: what it takes, prints and refuses.
. "$CT_LIB"
b() { echo "$*: $("$@" 2>&1 | paste -sd'~') ${PIPESTATUS[0]}" | normalise; }
b sstat; b sstat -j x; b sstat --nosuch; b sstat -j 1 -o nosuch; b sstat -j 1 -o; b sstat -n -j 1 -o jobid
submit -n 2 -w n1 -o /dev/null --wrap 'srun -n 2 sleep 60'; wait_state $J RUNNING; poll 10 bash -c "squeue -h -s -j $J | grep -q '\.0'"; poll 10 bash -c "sstat -n -P -j $J.0 -o ntasks | grep -q 2"
{ sstat -j $J -o jobid,ntasks,mincpunode%4; sstat -j $J.0 -o jobid,ntasks; sstat -a -j $J -o jobid,ntasks; sstat -j $J.batch -o jobid,ntasks; sstat -n -j $J -o jobid,ntasks; sstat -P -j $J -o jobid,ntasks; sstat -p -j $J -o jobid,ntasks; sstat -j $J -i -o ntasks | head -2; sstat -j $J.9 -o jobid; sstat -j $J -o jobid%-30,ntasks%3; sstat --format=jobid -j $J,$J -n; sstat -j $J.extern -o jobid; sstat --noconvert -j $J -o ntasks -n; sstat -j $J --parsable2 --noheader -o jobid,ntasks; sstat -j $J -o 'jobid,' ; } 2>&1 | normalise
scancel $J; wait_done $J; sstat -j $J -o jobid 2>&1 | normalise
