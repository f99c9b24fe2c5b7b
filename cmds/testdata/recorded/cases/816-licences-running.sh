# Licences of a job that runs: given, taken and given back.
# as: root
. "$CT_LIB"
x() { echo "+ $*" | normalise; "$@" >$CT_STATE/x 2>&1; r=$?; normalise <$CT_STATE/x; [ $r = 0 ] || echo "rc=$r"; }
l() { scontrol -o show lic | cut -d' ' -f1-4 | paste -sd' '; field $J Licenses; }
submit_as alice -L matlab:2 -o /dev/null --wrap 'sleep 60'; wait_state $J RUNNING; l
x as_user alice scontrol update jobid=$J licenses=matlab:1; l
x as_user alice scontrol update jobid=$J licenses=matlab:3; l
x as_user bob scontrol update jobid=$J licenses=; l
x scontrol update jobid=$J licenses=matlab:1; l
x scontrol update jobid=$J licenses=matlab:3,ansys:1; l
x scontrol update jobid=$J licenses=matlab:9; l
x scontrol update jobid=$J licenses=nosuch; l
x scontrol update jobid=$J licenses=bad:x; l
x as_user alice scontrol update jobid=$J licenses=; l
x scontrol update jobid=$J licenses=matlab:4; l
submit_as alice -L matlab:1 -o /dev/null --wrap 'sleep 60'; K=$J; wait_reason $J Licenses; squeue -h -j $J -o '%T %r'
x scontrol update jobid=$J licenses=ansys; wait_state $J RUNNING; l
scancel $J; wait_done $J
x scontrol update jobid=$J licenses=; 
