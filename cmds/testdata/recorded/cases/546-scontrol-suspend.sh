# topic: scontrol
# suspend, resume, requeue, requeuehold, notify, top, wait_job.
# as: root
. "$CT_LIB"
st() { squeue -h -t all -j "$1" -S i -o '%i %t %r' | normalise; }
s() { submit_as alice "$@" --wrap 'sleep 40'; }
a() { as_user alice scontrol "$@" 2>&1 | normalise; echo "rc=${PIPESTATUS[0]}"; }
s -o /dev/null; A=$J; wait_state $A RUNNING
a suspend $A; try scontrol suspend $A; st $A; sinfo -h -n n1 -p debug -o %t; try scontrol suspend $A; field $A JobState SuspendTime; scontrol show job $A | grep -oE 'Reason=\S+'; a resume $A; try scontrol resume $A; st $A; try scontrol resume $A
s -H -o /dev/null; B=$J; try scontrol suspend $B; try scontrol resume $B; a notify $B hello; try scontrol requeue $B; try scontrol requeuehold $B
s -o n.out; C=$J; wait_state $C RUNNING; sleep 0.5; a notify $C hello there; wait_file n.out hello; cat n.out; as_user bob scontrol notify $C x 2>&1; as_user bob scontrol requeue $C 2>&1 | normalise; as_user bob scontrol suspend $C 2>&1 | normalise
a requeuehold $C; wait_state $C PENDING; st $C; field $C Restarts Reason; scontrol show job $C | grep -oE 'JobState=\S+ Reason=\S+'; a release $C; wait_reason $C BeginTime; st $C; scancel $C
s --array=1-2 -o /dev/null; D=$J; wait_state ${D}_1 RUNNING; wait_state ${D}_2 RUNNING; try scontrol suspend $D; sleep 0.3; st $D; try scontrol resume ${D}_2; sleep 0.3; st $D; try scontrol resume $D; try scontrol requeue ${D}_1; wait_reason ${D}_1 BeginTime; st $D; try scontrol requeue $D; sleep 1; st $D; scancel $D
s -p closed -J t1 -o /dev/null; E=$J; s -p closed -J t2 -o /dev/null; F=$J; a top $F; squeue -h -S -p -j $E,$F -o '%j %y'; as_user bob scontrol top $E 2>&1 | normalise; a top 650000; a top abc; try scontrol top $E; squeue -h -S -p -j $E,$F -o '%j %y'
submit_as alice -o /dev/null --wrap 'exit 3'; G=$J; wait_done $G; a wait_job $G; try scontrol requeue state=SpecialExit $G; wait_state $G PENDING,SPECIAL_EXIT; st $G; scancel $G; a suspend $G; a requeuehold $G; a requeue state=nosuch $A; sleep 4; try scontrol requeuehold state=SpecialExit $A; sleep 0.5; st $A; squeue -h -j $A -o %T; scontrol show job $A | grep -oE 'JobState=\S+ Reason=\S+'; try scontrol release $A
