# topic: sbatch
# Scripts by their names, lists of nodes, and the limits of jobs that are moved to other partitions.
. "$CT_LIB"
printf '#!/bin/bash\n#SBATCH -t 5\nsleep 30\n' >my.job.sh; chmod +x my.job.sh; mkdir sub; cp my.job.sh sub/x
for s in my.job.sh ./my.job.sh sub/x ./sub/x "$PWD/sub/x"; do submit -H "$s" one 'two three'; field $J JobName Command; squeue -h -j $J -o %o | normalise; done
(cd sub; submit -H ../my.job.sh; field $J JobName Command)
mkdir bin; printf '#!/bin/bash\necho in path\n' >bin/pathscript; chmod +x bin/pathscript; PATH=$PATH:$PWD/bin submit -H pathscript; field $J JobName Command
for l in n3,n1 n1,n3 n1,n1 'n[2-4],n1' 'n4,n[1-2]'; do submit -H -w $l --wrap true; field $J ReqNodeList; squeue -h -j $J -o %n; done; submit -H -x n3,n1 --wrap true; field $J ExcNodeList; squeue -h -j $J -o %x
printf 'n3\nn1\n' >nf; submit -H -F nf --wrap true; field $J ReqNodeList
for p in debug short single short,debug debug,short; do for to in short single debug short,debug single,debug; do submit -H -p $p --wrap true; scontrol update jobid=$J partition=$to; echo "$p -> $to $(field $J TimeLimit Partition | paste -sd' ') $(squeue -h -j $J -o '%l')"; done; done
submit -H -t 2:00:00 --wrap true; scontrol update jobid=$J partition=short; field $J TimeLimit Partition Reason
submit -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING; scontrol hold $J; scontrol requeue $J; wait_state $J PENDING; squeue -h -j $J -o '%T %r'; field $J Restarts Priority
submit -J other -H --wrap true; submit -J other -d "singleton?after:$J" -o /dev/null --wrap true; submit -J same -o /dev/null --wrap 'sleep 20'; A=$J; wait_state $A RUNNING; submit -J same -d "singleton?after:$A" -o /dev/null --wrap true; wait_done $J; state $J
