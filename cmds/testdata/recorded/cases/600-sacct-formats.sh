# topic: sacct
# Widths, left alignment, many fields, -l rows, --units, --noconvert, -o errors.
. "$CT_LIB"
submit -H -t 5 -J a_rather_long_job_name -n 3 -N 1 --mem=2G --comment 'some words' -C fast -w n1 --wrap 'exit 0'; A=$J; known $A; wait_acct $A COMPLETED
sacct -j $A -o JobID%-10,JobName%5,State%20,ExitCode%-8,NNodes,AllocCPUS%3 | normalise
sacct -j $A -X -o jobname,jobname%-30,jobname%30 | normalise
sacct -j $A -X -n -P -o JobName%5,State%3 | normalise
sacct -j $A -X -o ReqMem,ReqTRES%40,AllocTRES%40 --units=M | normalise
sacct -j $A -X -P -o ReqMem,ReqTRES,AllocTRES --units=G
sacct -j $A -X -P -o ReqMem,ReqTRES,AllocTRES --units=K
sacct -j $A -X -P -o ReqMem,AllocTRES --noconvert
sacct -j $A -P -o JobID,NTasks,AllocNodes,AllocCPUS,ReqCPUS,CPUTimeRAW,ConsumedEnergy,ReqCPUFreq,ReqCPUFreqMin,ReqCPUFreqMax,ReqCPUFreqGov,Layout | normalise | sed -E 's/^(([^|]*[|]){5})[0-9]+[|]/\1N|/'
sacct -j $A -X -o JobID,Elapsed,ElapsedRaw,TimelimitRaw,Timelimit,Suspended,CPUTime | normalise | sed 's/ [0-9] / N /'
try sacct -j $A -o nosuchfield
try sacct -j $A -o JobID,
try sacct --units=X -j $A
sacct -j $A -X -P -s CD -S 2020-01-01 -o JobName,State
sacct -j $A -X -P --delimiter='||' -o JobName,State
sacct -j $A -X -p --delimiter=: -o JobName,State
