# topic: scontrol
# hold, uhold, release by root and by users, of arrays, lists, names and running jobs.
# as: root
. "$CT_LIB"
st() { squeue -h -t all -j "$1" -S i -o '%i %T %Q' | sed -E 's/ [1-9][0-9]+$/ P/' | normalise; }
s() { submit_as alice -o /dev/null "$@" --wrap 'sleep 30'; }
a() { as_user alice scontrol "$@" 2>&1 | normalise; echo "rc=${PIPESTATUS[0]}"; }
s -p closed; A=$J; s -p closed; B=$J
try scontrol hold $A; st $A; a release $A; st $A; try scontrol release $A; st $A
try scontrol uhold $A; st $A; a release $A; st $A
a hold $A,$B; st $A,$B; try scontrol release $A $B; st $A,$B
a hold $A $B; st $A,$B; a release $A,$B
try scontrol hold $A,650000; st $A; try scontrol hold 650000,$A; try scontrol release $A
as_user bob scontrol hold $A 2>&1 | normalise; as_user bob scontrol release $A 2>&1 | normalise
s -p closed --array=1-4; C=$J
a hold ${C}_2; st $C; a hold $C; st $C; a release ${C}_[1-2]; st $C; a release $C; st $C; a hold ${C}_9; a hold ${C}_[3,9]; st $C;
s -J same -p closed; s -J same -p closed; a hold jobname=same; squeue -h -n same -S i -o '%T'; a release jobname=same; squeue -h -n same -S i -o '%T'; a hold jobname=nosuch; a hold name=same; a release name=same
s; D=$J; wait_state $D RUNNING; a hold $D; st $D; a release $D; st $D; try scontrol hold $D; st $D; try scontrol release $D
a update jobid=$A priority=0; st $A; a update jobid=$A priority=500; a release $A; st $A; try scontrol update jobid=$A priority=500; squeue -h -j $A -o %Q; a update jobid=$A priority=400; squeue -h -j $A -o %Q; a update jobid=$A priority=600; try scontrol update jobid=$A nice=-5;
