# limit: 100
# What a held job is said to wait for, and what becomes of it once it is released.
. "$CT_LIB"
q() { squeue -h -t all -j $J -o '%i %T %r %E' | normalise; }
submit -o /dev/null --wrap 'exit 3'; F=$J; wait_done $F
submit -o /dev/null --wrap true; O=$J; wait_done $O
submit -H -J held --wrap true; H=$J
submit -H -d afterok:$F --wrap true; q
submit -H -d afternotok:$F --wrap true; q
submit -H -d afterany:$F -o /dev/null --wrap true; q; scontrol release $J; wait_done $J; q
submit -H -d "afterok:$F?afterany:$O" --wrap true; q
submit -d "afterok:$O,afterok:$H" --wrap true; wait_reason $J Dependency; q; scontrol hold $J; q; scontrol release $J; wait_reason $J Dependency; q
submit -d "afterok:$F,afterok:$H" --wrap true; wait_reason $J DependencyNeverSatisfied; q; scontrol hold $J; q; scontrol release $J; wait_reason $J DependencyNeverSatisfied; q
submit -d "afterok:$O?afterok:$H" -o /dev/null --wrap true; wait_done $J; q
submit -H -d "singleton,afterok:$O" --wrap true; q
submit -H -d after:$O --wrap true; q; field $J Dependency
submit -d afterok:$O --begin=now+1hour --wrap true; wait_reason $J BeginTime; q; field $J Dependency
submit -d afterok:$H --begin=now+1hour --wrap true; wait_reason $J Dependency; q; field $J Dependency
submit -d afterok:$O -p closed --wrap true; wait_reason $J PartitionDown; q
submit -d expand:$H --wrap true
submit -d afterok:$H:$O,afternotok:$H --wrap true; wait_reason $J Dependency; q; field $J Dependency
try scontrol update jobid=$J dependency=afterany:$H; wait_reason $J Dependency; q
try scontrol update jobid=$J dependency=expand:$H
try scontrol update jobid=$J dependency=bogus:$H
scancel $H; wait_done $H
submit -d afternotok:$H -o /dev/null --wrap true; wait_done $J; q
submit -d after:$H -o /dev/null --wrap true; wait_done $J; q
submit -d afterok:$H -o /dev/null --wrap true; wait_reason $J DependencyNeverSatisfied; q
