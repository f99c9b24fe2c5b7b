# limit: 150
# Forms of squeue: filters, formats, variables, refusals.
. "$CT_LIB"
submit -J run1 -n 2 -t 10 -w n1 -o /dev/null --comment=cc --wrap 'srun sleep 60'; R=$J; wait_state $J RUNNING
submit -J ar -a 1-5%2 -t 20 -w n2 -o /dev/null --wrap 'sleep 60'; A=$J; wait_state ${A}_2 RUNNING
submit -H -J held -p short --nice=7 -C fast --wrap true; H=$J
submit -J dep -d afterok:$H --wrap true; D=$J; wait_reason $D Dependency
submit -J beg --begin=now+1hour --wrap true; B=$J
submit -J done -o /dev/null --wrap true; X=$J; wait_done $X
submit -J fail -o /dev/null --wrap 'exit 3'; F=$J; wait_done $F
submit_as alice -A chem --qos=high -H -J chem -N 2 --exclusive --mem=0 --wrap true
q() { echo "+ squeue $*" | sed -E "s,7[0-9]{5},ID,g"; squeue "$@" 2>&1 | normalise -e | sed -E 's/7[0-9]{5}/ID/g; s/19:[0-9]{2}|59:[0-9]{2}|9:[0-9]{2}/MM:SS/g'; }
q -S i
q -h -S i -l | sed 1d
q -h -o '%i|%j|%t|%T|%u|%U|%a|%P|%q|%Q' -S i | sed -E 's/[0-9]+$/PRIO/'
q -h -t R,PD -o '%i %t' -S i
q -t bogus
q -u nosuch
q -h -u alice,bob -o %i -S i
q -h -u 3001 -o %i -S i
q -h --me -o %i -S i
q -h -n run1,held -o %j -S j
q -h -p short -o %j
q -p nosuch -h
q -h -A chem -o %j
q -h -q high -o %j
q -h -w n1 -o %j
q -h -w n1,n2 -o %j -S j
q -w nosuch
q -h -j $R,$H -o %j -S i
q -h -j 650000
q -h -j abc
q -h -j ${A}_1 -o '%i %t'
q -h -j ${A}_9 -o '%i %t'
q -h -r -j $A -o '%i %t' -S i
q -h -s
q -h -s -j $R
q -s $R.0
q -s -o '%i|%j|%P|%u|%N|%A'
q -h -o 'x%%y %j %' -j $R
q -h -o '%Z|%o|%k|%f|%n|%x' -j $R
q -h -o '%N|%R|%r|%B|%C|%D|%m|%c|%d|%b' -j $R
q -h -o '%l|%y|%v|%w|%W|%E|%K|%F|%h|%H|%I|%J|%X|%z|%g|%G' -j $R
q -O jobid,name,state -S i
q -h -O 'jobarrayid:12,username:.10,statecompact:5,reasonlist:20' -S i
q -h -O 'Name:|,Account:+,TimeLimit: ' -S i
q -O nosuch
q -h -O 'name:x' -j $R
q -o ''
q -h -o '%i' -S bogus
q --start -h -j $D
q -t ''
q -h --states=PENDING --sort=-i -o %i
q -h --array-unique -j $A -o '%i %t'
q -h -P -p short -o '%i %P'
q --format='%.18i %.9P' -j $H
q --Format=jobid:6 -j $H
SQUEUE_FORMAT='%j' q -h -S j
SQUEUE_FORMAT2='name:8' q -h -S j
SQUEUE_STATES=R SQUEUE_SORT=j q -h -o %j
SQUEUE_USERS=bob q -h -o %j
SQUEUE_NAMES=held q -h -o %j
SQUEUE_PARTITION=short q -h -o %j
SQUEUE_ALL=1 SQUEUE_ACCOUNT=chem q -h -o %j
q -Z
q --jo=$R -h -o %j
q -hj $R -o%j
q -ho%j -j$R
