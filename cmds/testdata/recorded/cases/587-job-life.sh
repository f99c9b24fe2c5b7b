# limit: 150
# How jobs end, are requeued and held, and what scontrol says of them.
. "$CT_LIB"
acc() { sacct -n -P -j $1 -o JobID,State,ExitCode,NTasks | normalise; }
submit -o a.out --wrap 'exit 7'; wait_acct $J FAILED; field $J JobState Reason ExitCode; acc $J
submit -o b.out --wrap 'kill -SEGV $$'; wait_acct $J FAILED; field $J JobState Reason ExitCode; acc $J
submit -o c.out --wrap 'srun false; exit 0'; wait_acct $J COMPLETED; field $J JobState ExitCode; scontrol -d show job $J | grep -o 'DerivedExitCode=.*'; acc $J; cat c.out | normalise
submit -o d.out -t 1 --wrap 'srun -n1 true; sleep 0.1; exec nosuchcmd'; wait_acct $J FAILED; field $J JobState ExitCode; acc $J; sed 's/.*slurm_script/slurm_script/' d.out
submit -o e.out --wrap 'sleep 60'; wait_state $J RUNNING; scancel $J; wait_acct $J CANCELLED; field $J JobState ExitCode Reason; acc $J; sed -E 's/7[0-9]{5}/ID/; s/AT .* \*/AT T */; s/ON n[0-9]/ON nX/; s/slurmstepd[-a-z0-9]*/slurmstepd/' e.out
submit -o /nonexistent/x --wrap true; wait_done $J; field $J JobState ExitCode Reason
submit -D /nonexistent -o f.out --wrap pwd; wait_done $J; field $J JobState ExitCode; cat f.out 2>/dev/null; cat /tmp/f.out 2>/dev/null
submit -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; try scontrol hold $J; try scontrol requeuehold $J; wait_state $J PENDING; field $J Reason JobState Priority; squeue -h -j $J -o '%r %T'; try scontrol release $J; sleep 0.3; scancel $J
submit --no-requeue -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; try scontrol requeue $J; try scontrol notify $J hello; try scontrol write batch_script $J -; try scontrol write batch_script $J; try scontrol top $J; try scontrol show step $J | head -3 | normalise | sed 's/=[0-9:-]*T[0-9:]*/=T/'; try scontrol show hostnames n[1-3]; try scontrol show hostlist n1,n2,n4; try scontrol show hostlistsorted n4,n1; try scontrol show jobs $J | head -1; try scontrol show job 650000; try scontrol show job abc; try scontrol show job ${J}_1; try scontrol show bogus; try scontrol bogus; try scontrol completing; try scontrol ping | sed 's/at .* is/at H is/'; try scontrol wait_job $J; scancel $J
