# topic: sacctmgr
# as: root
# The records of ended jobs, changed.
. "$CT_LIB"
submit_as alice -H -J one -t 5 --comment=first --wrap 'exit 3'; A=$J; submit_as bob -H -J two -t 5 --wrap 'exit 0'; B=$J; known $A $B; wait_acct $A FAILED; wait_acct $B COMPLETED; sleep 3
f() { sacct -n -X -P -j $A,$B -o jobname,comment,admincomment,systemcomment,derivedexitcode,exitcode; }
f
try sacctmgr -i modify job where jobid=$A set comment="a word"
try sacctmgr -i modify job jobid=$A,$B set admincomment=seen systemcomment=sys derivedexitcode=512
f
try sacctmgr -i modify job jobid=$B set derivedexitcode=0
try sacctmgr -i modify job jobid=$B set derivedexitcode=x
try sacctmgr -i modify job jobid=$B set derivedes="other words"
f
try sacctmgr -i modify job jobid=$A user=bob set comment=no
try sacctmgr -i modify job jobid=999999 set comment=no
try sacctmgr -i modify job jobid=x set comment=no
try sacctmgr -i modify job $A set comment=no
try sacctmgr -i modify job jobid=$A set nosuch=no
try sacctmgr -i modify job jobid=$A set
try sacctmgr -i modify job jobid=$A
try sacctmgr -i modify job nosuch=$A set comment=no
try as_user alice sacctmgr -i modify job jobid=$A set comment=mine derivedexitcode=9
try as_user alice sacctmgr -i modify job jobid=$A set admincomment=mine
try as_user alice sacctmgr -i modify job jobid=$B set comment=mine
f
echo n | sacctmgr modify job jobid=$A set comment=asked | normalise
f
