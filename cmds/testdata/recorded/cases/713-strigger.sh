# topic: strigger
# as: root
# limit: 90
# Triggers: set, listed, cleared, and what they do.
. "$CT_LIB"
cleanup() { strigger --clear --user=root --quiet; strigger --clear --user=alice --quiet; scontrol update nodename='n[1-4]' state=resume; }
printf '#!/bin/sh\necho "$(id -un) $# $*" >>%s/trig.out\n' "$PWD" >p; chmod 755 p; P=$PWD/p; touch trig.out; chmod 666 trig.out
t() { echo "$*: $(strigger "$@" 2>&1 | sed -E 's/^ +[0-9]+ /TRIG /' | paste -sd'~') ${PIPESTATUS[0]}" | normalise; }
t; t --get; t --set; t --set --down; t --set --program=$P; t --set --down --program=nosuch; t --set --down --program=/nosuch; t --clear; t --get --nosuch; t --clear --id=999; t --get --id=999; t --get --user=nosuch; t --set --time --program=$P; t --set --fini --program=$P; t --set --jobid=1 --fini --program=$P; t --set --jobid=x --fini --program=$P; t --set --jobid=1 --program=$P; t --set --node=nosuch --down --program=$P; t --set --offset=-32769 --down --program=$P; t --set --block_err --program=$P; t --get --set
for e in --down --up --drained --fail --reconfig --node=n1\ --down --node=n1,n2\ --drained --primary_slurmctld_failure --primary_slurmctld_resumed_operation --primary_slurmctld_resumed_control --backup_slurmctld_failure --backup_slurmctld_resumed_operation --backup_slurmctld_assumed_control; do t --set $e --program=$P; t --set $e --program=$P; t --get; t --clear --user=root --quiet; t --get; done
t --set --node --down --flags=perm --program=$P; t --set --node=n4 --drained --program=$P; t --set --node=n4 --up --program="$P"; t --get; t --get --down; t --get --node=n4; t --get --user=root -N; t --get -v; t --get --flags=perm; strigger --get | head -1
scontrol update nodename=n4 state=drain reason=x; poll 30 grep -q n4 trig.out || echo 'no trigger'; scontrol update nodename=n4 state=resume; poll 10 bash -c '! strigger --get --drained | grep -q drained'; t --get --drained; grep n4 trig.out | sort -u
submit_as alice -o /dev/null --wrap 'sleep 3'; t --set --jobid=$J --fini --program=$P; t --set --jobid=$J --time --offset=-60 --program=$P; t --get --jobid=$J; wait_done $J; poll 30 grep -q $J trig.out || echo 'no trigger'; grep -v n2 trig.out | sort -u | normalise
as_user alice strigger --set --down --program=$P; echo $?; as_user alice strigger --get | wc -l; submit_as alice -H --wrap true; as_user alice strigger --set --jobid=$J --fini --program=$P; echo $?; as_user bob strigger --clear --jobid=$J; echo $?; as_user alice strigger --clear --jobid=$J; echo $?; scancel $J
