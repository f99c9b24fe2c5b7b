# topic: scontrol
# as: root
# limit: 60
# What becomes of the output, the reason and the processes of jobs that are requeued and suspended; what is written of them.
. "$CT_LIB"
moves() { local n; n=$(wc -l <tick); sleep 0.4; [ $n != $(wc -l <tick) ]; }
rests() { ! moves; }
submit_as alice -o tick -w n1 --wrap 'while :; do echo; sleep 0.1; done'; T=$J
submit_as alice -o q.out --wrap 'echo run ${SLURM_RESTART_COUNT-first}; sleep 40'; Q=$J; submit_as alice -o a.out --open-mode=append --wrap 'echo run ${SLURM_RESTART_COUNT-first}; sleep 40'; A=$J
submit_as alice -o /dev/null --wrap 'sleep 40'; S=$J; submit_as alice -o /dev/null --wrap 'sleep 40'; X=$J; submit_as alice -o /dev/null --wrap 'exit 5'; E=$J
wait_file tick; wait_file q.out; wait_file a.out; wait_state $S RUNNING; wait_state $X RUNNING; wait_done $E
scontrol suspend $T; sleep 0.5; rests && echo stopped; scontrol resume $T; poll 5 moves && echo goes on
as_user alice scancel -f -s TSTP $T; poll 5 rests && echo stopped; as_user alice scancel -f -s CONT $T; poll 5 moves && echo goes on; scancel $T
scontrol suspend $S; try as_user alice scontrol requeue $S; try as_user alice scontrol requeuehold state=SpecialExit $X; try as_user alice scontrol requeuehold state=SE $E; scontrol requeue $Q,$A
wait_reason $Q BeginTime; wait_state $S PENDING; wait_reason $X 'job requeued in held state'; squeue -h -S i -j $S,$X,$E -o '%T %t %r %Q'; try as_user alice scontrol release $S
for j in 650000 650000_1 abc; do try scontrol suspend $j; try as_user alice scontrol resume $j; done
submit_as alice -H --wrap 'true'; W=$J; try as_user bob scontrol write batch_script $W -; try scontrol write batch_script $W /nosuch/x; try scontrol write batch_script $W /tmp; try scontrol write config $PWD/c; ls c.* | normalise; try scontrol write config /nosuch/c
scontrol show aliases n1; scontrol show aliases 'n[1-2]'; scontrol show aliases "$(hostname -s)"
sleep 6; scontrol update jobid=$Q starttime=now; scontrol update jobid=$A starttime=now; poll 40 grep -q 'run 1' q.out; poll 40 grep -q 'run 1' a.out; normalise <q.out; normalise <a.out | grep -v Terminated | sed 's/AT .* DUE/AT T DUE/; s/ON n[0-9]/ON N/'
