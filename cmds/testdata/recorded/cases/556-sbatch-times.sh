# limit: 100
# Limits longer than a year, those that a deadline sets, and those of several partitions.
. "$CT_LIB"
for t in 9999999 366-0 365-1 365-0 1000-0; do submit -H -t "$t" --wrap true; echo "$t = $(squeue -h -j $J -o '%l|%L') $(field $J TimeLimit)"; done
for p in short,debug debug,short single,short; do submit -H -p $p --wrap true; echo "$p $(squeue -h -j $J -o '%l') $(field $J TimeLimit)"; done
submit --deadline=now+30 -w n1 --wrap 'sleep 3'; wait_state $J DEADLINE; field $J JobState Reason TimeLimit
submit --deadline=now+350 -w n1 -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING; field $J JobState Reason TimeLimit; scancel $J
submit --deadline=now+300 -t 2 -w n1 -o /dev/null --wrap 'sleep 30'; wait_state $J RUNNING; field $J JobState Reason TimeLimit; scancel $J
submit --deadline=now+300 -p short -w n1 --wrap true; wait_state $J DEADLINE; field $J JobState Reason TimeLimit
for f in high low medium highm1 2000000 1000000-2000000 Low-High:Performance ondemand; do submit -H --cpu-freq=$f --wrap true; scontrol show job $J | grep -E 'freq|Governor'; done
submit --batch=fast -C fast -H --wrap true; scontrol show job $J | grep -i feat
submit -H -J '' --wrap true; field $J JobName; squeue -h -j $J -o '[%j]'
submit -H -C '' -L '' --comment= --wrap true; squeue -h -j $J -o '[%f|%W|%k]'; field $J Features Licenses Comment
submit -H -N 2k --wrap true; squeue -h -j $J -o '%D %C %m'
submit -H -n 1024 --wrap true; squeue -h -j $J -o '%D %C %m'; squeue --noconvert -h -j $J -o '%D %C %m'
for p in '' , nosuch debug,nosuch 'debug short'; do try sbatch -p "$p" -H --wrap true; done
