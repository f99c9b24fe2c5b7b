# limit: 150
# scontrol update of a job that waits and of one that runs, key by key.
. "$CT_LIB"
submit -H -J old -n 1 -t 60 --wrap true; A=$J
u() { echo "$*: $(scontrol update jobid=$A "$@" 2>&1) $?" | normalise; }
for k in workdir=/tmp numcpus=x numcpus=4 numtasks=4 numnodes=2 numnodes=1-2 mincpusnode=3 minmemorynode=100 minmemorycpu=50 trespernode=gpu:1 trespernode=gres:gpu:2 gres=gpu:1 gres=gpu gres=none timelimit=5 timelimit=+1 timelimit=-2 timelimit=1-0 timelimit=bad nice=5 nice=-5 nice=x priority=5 name=a/b name='sp ace' comment=x admincomment=x systemcomment=x requeue=0 requeue=1 requeue=2 contiguous=0 contiguous=x oversubscribe=yes oversubscribe=ok shared=1 features=fast features=nosuch features='fast&ib' reqnodelist=n1 reqnodelist=n1,n2 reqnodelist=nosuch excnodelist=n3 nodelist=n2 starttime=now+1hour starttime=tomorrow starttime= eligibletime=now+1hour endtime=now+1hour deadline=now+2hours deadline=now+1 account=chem account=nosuch partition=short partition=nosuch partition=short,debug qos=high qos=nosuch qos= reservation=nosuch licenses=matlab:1 licenses=nosuch licenses= dependency=singleton dependency=afterok:650000 dependency= mailtype=END mailuser=x mailtype=NONE stdout=x stderr=x standardoutput=x burstbuffer=x switches=2 switches=2@5:00 ; do u $k; done
u timelimit=5 nice=3 comment=two
u jobname=x bogus=1
u bogus
u =5
echo "$(scontrol update jobid=650000 name=x 2>&1) $?"
echo "$(scontrol update job=$A name=x 2>&1) $?"
echo "$(scontrol update JobId $A name=x 2>&1) $?" | normalise
echo "$(scontrol update name=x 2>&1) $?"
echo "$(scontrol update 2>&1) $?"
echo "$(scontrol update jobid= name=x 2>&1) $?"
echo "$(scontrol update jobid=x name=x 2>&1) $?"
echo "$(scontrol update jobname=x comment=byname 2>&1) $?" | normalise
field $A JobName Nice TimeLimit NumNodes NumTasks MinCPUsNode Features ReqNodeList ExcNodeList Partition Account QOS Licenses Comment Contiguous OverSubscribe Requeue WorkDir Dependency MailType StdOut
submit -o /dev/null -t 60 -n 4 -N 1 --wrap 'sleep 60'; A=$J; wait_state $A RUNNING
for k in timelimit=30 timelimit=90 timelimit=+5 name=run comment=run nice=5 priority=100 partition=short account=chem qos=high features=fast numnodes=1 numcpus=2 numtasks=2 minmemorynode=50 starttime=now+1 endtime=now+1hour licenses=matlab:1 dependency=singleton requeue=0 admincomment=a gres=gpu:1 excnodelist=n3 stdout=x; do u $k; done
field $A JobName TimeLimit NumCPUs Comment Nice Partition Account QOS
scancel $A; wait_done $A
for k in name=x comment=done timelimit=5 nice=1 admincomment=z partition=short; do u $k; done
field $A Comment JobName
