# topic: squeue
# Steps: filters, what is shown of each, and what their limits may be changed to.
# limit: 60
. "$CT_LIB"
n() { normalise -e | sed -E "s/Ports=\S+/Ports=P/; s/SrunHost:Pid=\S+/HOST:PID/"; }
cat >j.sh <<'E'
#!/bin/bash
srun -n 2 -J one sleep 60 &
sleep 0.5
srun -n 1 --exact --overlap -J three -t 5 --cpu-freq=high sleep 60 &
sleep 0.5
srun -n 1 -N1 --exact --overlap -J four --cpu-freq=1000-2000:OnDemand sleep 60 &
wait
E
chmod +x j.sh
submit -J run -N 2 -n 4 -c 2 -t 10 -w 'n[1-2]' --gres=gpu:1 --mem=300 -o /dev/null j.sh; R=$J; wait_state $J RUNNING
submit -J arr -a 3 -t 10 -w 'n3' -p single -A chem -o /dev/null --wrap 'srun sleep 60'; A=$J
poll 12 bash -c "[ \$(squeue -h -s -j $R | wc -l) = 4 ]"; poll 12 bash -c "[ \$(squeue -h -s -j $A | wc -l) = 2 ]"; sleep 0.5
scontrol show step $R | n; squeue -h -s$R.1 -o %j; scontrol show step $A | n; scontrol show step $R.1 | n; try scontrol show step $R.9;  try scontrol show step 650000; try scontrol show step 650000.1; scontrol -o show step $R.2 | n
t() { echo "-- $*" | n; squeue "$@" 2>&1 | sed -E 's/ 0:[0-5][0-9] / 0:SS /' | n; }
t -s -S i; t -s -S i -h -l; t -s $R.0,$R.1; t --steps=$R; t -s -u bob; t -s -h -u alice -S i; t -s -h -p debug; t -s -h -p single; t -s -h -w n3; t -s -h -w n2; t -s -h -j ${A}_3; t -s -h -j $A; t -s 650000.0; t -s x; t -h -s -t PD; t -h -s -t R; t -h -s -A chem; t -h -s -n two; t -h -s -n run; t -h -s -q normal; t -h -s -r; t -s ALL; t -s -o '%i %b'; t -s -o '%.10i|%8j|%.3P|%u|%U|%A|%N|%l'; t -s -h -o '%i' -S -i; t -s -h -O 'stepid: ,stepname:.8,numtasks:.3'; t -s -h -o '%a %i' -j $A; t -s -h -O 'nosuch:12,stepid' -j $A; t -s -h -o %i --me; t -s -h -i x
for f in arrayjobid arraytaskid cluster container cpufreq cpus-per-tres gres jobid mem-per-tres network nodes numcpus numtasks partition resvports stepid stepname stepstate timelimit tres-bind tres-freq tres-per-job tres-per-node tres-per-socket tres-per-step tres-per-task userid username; do echo "$f: $(squeue -h -s -S i -O "$f:|" 2>&1 | paste -sd' ' | n)"; done
l() { scontrol show step $R | grep -oE 'TimeLimit=\S+' | paste -sd' '; }
for c in "$R.0 timelimit=3" "$R.0 timelimit=20" "$R.1 timelimit=7" "$R.9 timelimit=3" "650000.0 timelimit=3" "$R.0" "$R.0 nosuch=1" "$R.0 timelimit=bad" " timelimit=3" "$R.0 timelimit=unlimited" "${A}_3.0 timelimit=6" "$R.0,$R.1 timelimit=9" "$R.0 comment=x" "$R.0 timel=4"; do echo "$c: $(scontrol update stepid=$c 2>&1) $?" | n; l; done
scontrol update step=$R.0 timelimit=8; l
