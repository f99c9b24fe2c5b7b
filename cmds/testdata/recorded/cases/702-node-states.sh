# topic: node
# as: root
# limit: 120
# States set by hand, alone and one after the other, on an idle node and on one with a job, with their marks.
. "$CT_LIB"
cleanup() { scontrol update nodename='n[1-4]' state=resume; scontrol update nodename='n[1-4]' state=idle; scontrol update nodename='n[1-4]' state=power_up;  scontrol update nodename='n[1-4]' state=undrain; }
u() { echo "$*: $(scontrol update nodename="$@" 2>&1) $?" | normalise; }
s() { poll 20 bash -c "! sinfo -h -n $1 -o %t | grep -qF '*'" || echo "$1 does not answer"; sinfo -h -n $1 -p debug -o '%t|%T|%A|%F|%E|%u'; sinfo -h -n $1 -p debug -O statecomplete; scontrol show node $1 | grep -oE 'State=\S+'; }
for st in drain fail idle undrain resume nosuchstate; do echo "-- $st"; u n4 state=$st reason=r; s n4; u n4 state=resume; s n4; done
echo -- pairs; for a in drain fail; do for b in drain undrain fail idle resume; do [ $a$b = downundrain ] || [ $a$b = downdown ] && continue; u n4 state=$a reason=one; u n4 state=$b reason=two; s n4; scontrol update nodename=n4 state=resume; scontrol update nodename=n4 state=idle; done; done; s n4
echo -- busy; submit_as alice -w n3 -n 4 -o /dev/null --wrap 'sleep 60'; A=$J; wait_state $A RUNNING; submit_as alice -w n2 -n 16 -o /dev/null --wrap 'sleep 60'; B=$J; wait_state $B RUNNING
for st in drain undrain fail resume idle drain resume; do for n in n2 n3; do u $n state=$st reason=r; s $n; done; done
sinfo -h -p debug -t drain -o %N; u n3 state=drain reason=x; sinfo -h -p debug -t drain -o %N;  sinfo -h -p debug -t drng -o %N; sinfo -h -p debug -t drained -o %N; sinfo -h -p debug -t mix -o %N; sinfo -h -p debug -t 'mixed&drain' -o %N; sinfo -h -p debug -t idle,drng -o %N; sinfo -R -h -o '%E|%u|%N'; sinfo -R -h -l -o '%20E %12U %t'; sinfo -h -R -N -o '%N %E'

