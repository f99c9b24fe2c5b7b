# topic: scontrol
# as: root
# Words and records that are asked for rarely: suspended and last tasks, nodes that are said not to respond, names of hosts, reboots.
# limit: 60
. "$CT_LIB"
cleanup() { scontrol update nodename='n[1-4]' state=resume; }
s() { submit_as alice -o /dev/null "$@"; }
s -a 1-2%1 -w n1 --wrap 'sleep 30'; wait_state ${J}_1 RUNNING; squeue -h -j $J -S i -o '%i %K %t %r' | normalise; scontrol show job ${J}_2 | head -1 | normalise; scancel $J
s -a 1-3%1 -w n2 --wrap 'sleep 30'; wait_state ${J}_1 RUNNING; squeue -h -j $J -S -t,i -o '%i %K %t' | normalise; scancel ${J}_1; wait_state ${J}_2 RUNNING; squeue -h -t PD,R -j $J -S i -o '%i %K %t' | normalise; scancel $J
s -w n3 --wrap 'sleep 30'; wait_state $J RUNNING; scontrol suspend $J; squeue -h -j $J -o '%T %Q %p'; field $J Priority; scontrol resume $J; squeue -h -j $J -o '%T %Q'; scancel $J
s -H --wrap true; scancel $J; scontrol show job $J | grep -oE '(NumTasks|PreemptEligibleTime)=\S+' | normalise; s -H -n 2 --wrap true; scancel $J; scontrol show job $J | grep -oE '(NumTasks|PreemptEligibleTime)=\S+' | normalise
scontrol show nodename=n1 2>&1; scontrol show jobi $J | head -1 | normalise; scontrol show hostlist ''; scontrol show hostnames ''; echo $?; scontrol show node n4 | grep -c 'LastBusyTime=2'
for a in "reboot n9" "reboot n1" "reboot ASAP n1" "reboot nextstate=resume n1" "cancel_reboot n9" "cancel_reboot n1" "reboot asap" "reboot nextstate=x n1"; do echo "$a: $(scontrol $a 2>&1) $?"; echo "alice: $(as_user alice scontrol $a 2>&1) $?"; done
scontrol update nodename=n4 state=noresp reason=r; sinfo -h -n n4 -p debug -o '%T|%E' | sed 's/[*]//'
for c in "create nodename=n7" "create nodename=n1 cpus=2" "listpids 650000" "listpids 650000.0" "listpids 650000_3" "listpids x"; do echo "$c: $(scontrol $c 2>&1 | paste -sd~) ${PIPESTATUS[0]}"; done
