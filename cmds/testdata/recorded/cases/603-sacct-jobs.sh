# topic: sacct
# -j in all its forms: lists, arrays, het jobs, steps.
. "$CT_LIB"
submit -H -J one -t 5 --wrap 'srun -n1 -J inner true; srun -n1 false'; A=$J; known $A; wait_acct $A FAILED
submit -H -J arr -t 5 --array=1,3,5-6%2 --wrap 'exit 0'; B=$J; known $B; wait_acct ${B}_1 COMPLETED; wait_acct ${B}_3 COMPLETED; wait_acct ${B}_5 COMPLETED; wait_acct ${B}_6 COMPLETED
sacct -P -j $A -o JobID,JobName,State,ExitCode,NTasks | normalise
sacct -P -n -j $A.0 -o JobID,JobName,State | normalise
sacct -P -n -j $A.1 -o JobID,JobName,State,ExitCode,DerivedExitCode | normalise
sacct -P -n -j $A.batch -o JobID,JobName,State | normalise
sacct -P -n -j $A.7 -o JobID | normalise
sacct -P -n -j $A.extern -o JobID | normalise
sacct -P -n -X -j $A -o JobID,DerivedExitCode,ExitCode | normalise
sacct -P -n -X -j ${B}_3,${B}_5 -o JobID,State | normalise
sacct -P -n -j ${B}_3.batch -o JobID,State | normalise
sacct -P -n -X -j ${B}_9 -o JobID,State | normalise
sacct -P -n -X -j $B -o JobID,JobName,State | normalise
sacct -P -n -X -j $A,$B -o JobID,JobName | normalise
sacct -P -n -X -j "$A $B" -o JobID,JobName | normalise
try sacct -j abc
try sacct -j 12x
try sacct -j
try sacct -j -5
try sacct -n -j 999999999
sacct -n -P -X --name=one -j $A,$B -o JobName
sacct -n -P -X -s F -j $A,$B -o JobName
sacct -n -P -X -s CD -j $A,$B -o JobName | sort -u
sacct -n -P -X -u bob -j $A,$B -o JobName
sacct -n -P -X -u root -j $A,$B -o JobName
