# topic: scancel
# as: root
# Whose jobs one may cancel, by id and by filter, and what is said of the others.
. "$CT_LIB"
submit_as alice -H -J a1 --wrap true; A=$J; submit_as bob -H -J b1 --wrap true; B=$J; submit_as bob -H -J b2 --array=1-3 --wrap true; C=$J
r() { as_user alice scancel "$@" 2>&1 | normalise | sort; echo "rc=${PIPESTATUS[0]}"; }
r $B; r -v $B; r $A $B; sleep 0.3; squeue -h -S i -o '%i %j' | normalise; r -u bob; r -A chem; r ${C}_2; r $C; r -s USR1 $B; r -n b1; r -Q $B; r -t PENDING; sleep 0.2; squeue -h -S i -o '%i %j' | normalise
scancel -u bob -n b1; sleep 0.3; squeue -h -S i -o '%i %j' | normalise; scancel -u bob; sleep 0.3; squeue -h | wc -l
submit_as alice -J run --wrap 'sleep 30'; wait_state $J RUNNING; as_user bob scancel $J 2>&1 | normalise; scancel -A physics; wait_done $J; state $J; scontrol show job $J | grep -oE 'JobState=\S+ Reason=\S+'
