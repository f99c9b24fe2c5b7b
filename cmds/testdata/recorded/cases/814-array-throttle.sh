# topic: squeue
# Tasks of a throttled array that are held, released and changed one by one; how they are listed.
. "$CT_LIB"
l() { squeue -h -S i -o '%i|%t|%j|%k|%r|%K' | normalise; echo; }
submit -H -a 1-4%2 -p closed -o /dev/null --wrap true; A=$J; l; scontrol update jobid=${A}_2 comment=x; l; scontrol update jobid=${A}_[1,3-4] comment=y; l; scancel $A; sleep 0.3
submit -H -a 1-3 -J b1 -p short -L matlab --wrap true; B=$J; scontrol update jobid=${B}_2 timelimit=3 name=mid; scontrol update jobid=${B}_[1,3] comment=odd; l; scancel -n mid; sleep 0.3; l; scancel $B; sleep 0.3
submit -a 0-5%2 -J a1 -t 5 -n 8 -o /dev/null --wrap 'sleep 30'; A=$J; wait_state ${A}_1 RUNNING; sleep 1; scontrol hold ${A}_3; scontrol hold ${A}_5; l; scontrol release ${A}_3; wait_reason ${A}_3 JobArrayTaskLimit; l; scontrol release ${A}_5; wait_reason ${A}_5 JobArrayTaskLimit; l; field ${A}_3 ArrayTaskThrottle Reason; scancel $A; wait_done $A
