# limit: 100
# Signals, steps, states and names that scancel takes, and what it says of others.
. "$CT_LIB"
s() { echo "+ scancel $*" | normalise; timeout 10 scancel "$@" >o.txt 2>&1; rc=$?; normalise <o.txt; echo "rc=$rc"; }
submit -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; s -s STOP $J; s -s CONT $J; s -s 64 $J;  s -s 65 $J; s -s 0 $J; state $J;  s -s HUP $J; wait_done $J; state $J; field $J ExitCode
submit -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; s --full -s TERM $J; wait_done $J; state $J; field $J ExitCode
submit -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; s -s 9 $J; wait_done $J; state $J; field $J ExitCode
submit -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; s -s INT $J; sleep 1; state $J; s -b -s INT $J; wait_done $J; state $J; field $J ExitCode
submit -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; s -s SIGKILL -b $J; wait_done $J; state $J; field $J ExitCode
submit -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; s $J.5; s $J.0; s $J.1 $J.2; s $J.extern; s $J.x; s $J+0
s --user=alice --partition=debug --state=PENDING; s --user=root; s --user=alice,bob; s -u 3001 -n zz; s -u 99999; s --name=a,b; s -p debug,short -n zz; s -w n1,n2 -n zz
s --state=; s -s; s --signal; s -t; s --state=PD -n zz; s --state=COMPLETED -n zz; s -s usr1 650000; s -s sigusr1 650000; s -s SIGFOO 650000; s -Q -s FOO 650000; s -q '' ; s -u ''; s -p ''; s -A ''
scancel $J; wait_done $J
submit -a 1-3 -o /dev/null --wrap 'sleep 60'; wait_state ${J}_3 RUNNING; s -t PD $J; squeue -h -t all -j $J -S i -o '%i %T' | normalise; s ${J}_1 ${J}_3; wait_done ${J}_1 ${J}_3; squeue -h -t all -j $J -S i -o '%i %T' | normalise; s $J; wait_done $J
